/**
 * A typed assembler for WebAssembly modules over one imported memory.
 * Enters: calls that emit instructions, stack style. Leaves: the bytes of a module.
 * Holds: the stack of value types is tracked, so an instruction that finds wrong operands throws at
 * the line that emits it, and what `build` returns validates.
 */
import { RecurraError } from '../../tensor/errors.ts'
import { section, sized, text, unsignedLeb, vector } from './encoding.ts'
import { encodeImmediates } from './immediates.ts'
import type { Immediate, Immediates, Op, ValueType } from './opcodes.ts'
import * as ops from './opcodes.ts'

export type { ValueType } from './opcodes.ts'

export interface Local {
  readonly index: number
  readonly type: ValueType
}

export interface FunctionRef {
  readonly index: number
  readonly params: readonly ValueType[]
  readonly results: readonly ValueType[]
  readonly name: string
}

/** What `br` jumps to: the end of a block, the start of a loop. Valid inside its own body only. */
export interface Label {
  readonly kind: 'block' | 'loop'
}

/** One emitter an instruction: `f.i32.add()`, `f.v128.load(offset?)`, `f.f32.const(value)`. */
export type Group<Ops> = {
  readonly [Name in keyof Ops]: Ops[Name] extends Op<infer Kind>
    ? (...immediates: Immediates[Kind]) => void
    : never
}

interface Frame {
  readonly kind: 'function' | 'block' | 'loop' | 'if'
  /** The height of the stack at entry: a frame does not reach below it. */
  readonly height: number
  /** After `br`, `return` or `unreachable` operands of any type are there. */
  unreachable: boolean
}

const typeBytes: Readonly<Record<ValueType, number>> = {
  i32: 0x7f,
  f32: 0x7d,
  v128: 0x7b,
}
const NO_BYTES: readonly number[] = []
const frameBytes = { block: 0x02, loop: 0x03, if: 0x04 } as const
const emptyBlockType = 0x40
const endByte = 0x0b

/** The emitters of a table, made once: each function of a module has them from its prototype. */
function group<Ops extends Record<string, Op>>(prefix: string, table: Ops): new (code: Code) => Group<Ops> {
  class Emitters {
    readonly code: Code
    constructor(code: Code) {
      this.code = code
    }
  }
  for (const [name, op] of Object.entries(table)) {
    const fullName = `${prefix}.${name}`
    const emitter = function (this: Emitters, ...immediates: Immediates[Immediate]) {
      this.code.emit(fullName, op, immediates)
    }
    Object.defineProperty(Emitters.prototype, name, { value: emitter })
  }
  return Emitters as unknown as new (
    code: Code,
  ) => Group<Ops>
}

const GROUPS = {
  i32: group('i32', ops.i32Ops),
  f32: group('f32', ops.f32Ops),
  v128: group('v128', ops.v128Ops),
  i8x16: group('i8x16', ops.i8x16Ops),
  i32x4: group('i32x4', ops.i32x4Ops),
  i64x2: group('i64x2', ops.i64x2Ops),
  f32x4: group('f32x4', ops.f32x4Ops),
}

/** Emits the body of one function. Made by {@link ModuleBuilder.func}. */
export class Code {
  readonly i32: Group<typeof ops.i32Ops>
  readonly f32: Group<typeof ops.f32Ops>
  readonly v128: Group<typeof ops.v128Ops>
  readonly i8x16: Group<typeof ops.i8x16Ops>
  readonly i32x4: Group<typeof ops.i32x4Ops>
  readonly i64x2: Group<typeof ops.i64x2Ops>
  readonly f32x4: Group<typeof ops.f32x4Ops>

  /** The locals that hold the arguments. */
  readonly params: readonly Local[]

  readonly #name: string
  readonly #results: readonly ValueType[]
  readonly #bytes: number[] = []
  readonly #stack: ValueType[] = []
  readonly #frames: Frame[] = [{ kind: 'function', height: 0, unreachable: false }]
  readonly #types: ValueType[] = []
  /** The handle by which each local may be used now; none while it waits in the pool. */
  readonly #handles: (Local | undefined)[] = []
  readonly #pool: Record<ValueType, number[]> = { i32: [], f32: [], v128: [] }

  constructor(name: string, params: readonly ValueType[], results: readonly ValueType[]) {
    this.#name = name
    this.#results = results
    this.params = params.map((type) => this.local(type))
    this.i32 = new GROUPS.i32(this)
    this.f32 = new GROUPS.f32(this)
    this.v128 = new GROUPS.v128(this)
    this.i8x16 = new GROUPS.i8x16(this)
    this.i32x4 = new GROUPS.i32x4(this)
    this.i64x2 = new GROUPS.i64x2(this)
    this.f32x4 = new GROUPS.f32x4(this)
  }

  /** A new local for the rest of the function; zero at entry. */
  local(type: ValueType): Local {
    const index = this.#types.push(type) - 1
    const local = { index, type }
    this.#handles.push(local)
    return local
  }

  /** A local for `body` alone, reused afterwards; it starts with whatever its last user left. */
  scoped(type: ValueType, body: (local: Local) => void): void {
    const pooled = this.#pool[type].pop()
    const index = pooled ?? this.local(type).index
    const local = { index, type }
    this.#handles[index] = local
    body(local)
    this.#handles[index] = undefined
    this.#pool[type].push(index)
  }

  get(local: Local): void {
    this.#requireOwn('local.get', local)
    this.#instruction(0x20, local.index)
    this.#stack.push(local.type)
  }

  set(local: Local): void {
    this.#requireOwn('local.set', local)
    this.#pop('local.set', local.type)
    this.#instruction(0x21, local.index)
  }

  tee(local: Local): void {
    this.#requireOwn('local.tee', local)
    this.#pop('local.tee', local.type)
    this.#stack.push(local.type)
    this.#instruction(0x22, local.index)
  }

  block(body: (label: Label) => void): void {
    this.#nest('block', body)
  }

  loop(body: (label: Label) => void): void {
    this.#nest('loop', body)
  }

  /** Pops an i32; runs `then` when it is not 0, `otherwise` when it is. */
  if(then: () => void, otherwise?: () => void): void {
    this.#pop('if', 'i32')
    const frame = this.#open('if')
    then()
    if (otherwise) {
      this.#requireHeight('else', frame)
      this.#bytes.push(0x05)
      frame.unreachable = false
      otherwise()
    }
    this.#close(frame)
  }

  br(label: Label): void {
    this.#bytes.push(0x0c, ...unsignedLeb(this.#depth('br', label)))
    this.#endReachable()
  }

  /** Pops an i32; jumps when it is not 0. */
  brIf(label: Label): void {
    this.#pop('br_if', 'i32')
    this.#bytes.push(0x0d, ...unsignedLeb(this.#depth('br_if', label)))
  }

  call(target: FunctionRef): void {
    this.#popAll(`call ${target.name}`, target.params)
    this.#bytes.push(0x10, ...unsignedLeb(target.index))
    this.#stack.push(...target.results)
  }

  /** Pushes the module's one global, an i32: see {@link ModuleBuilder.importTable}. */
  table(): void {
    this.#instruction(0x23, 0)
    this.#stack.push('i32')
  }

  drop(): void {
    this.#pop('drop')
    this.#bytes.push(0x1a)
  }

  /** Pops (a, b, condition: i32); pushes a when the condition is not 0, else b. */
  select(): void {
    this.#pop('select', 'i32')
    const type = this.#pop('select')
    const other = this.#pop('select', type)
    const result = type ?? other
    if (result) this.#stack.push(result)
    this.#bytes.push(0x1b)
  }

  /** Pops (destination, source, byte count); regions may overlap. */
  memoryCopy(): void {
    this.emit('memory.copy', ops.memoryCopy, [])
  }

  /** Pops (destination, byte value, byte count). */
  memoryFill(): void {
    this.emit('memory.fill', ops.memoryFill, [])
  }

  /** Checks the results and returns the locals and instructions as the code section holds them. */
  finish(): number[] {
    this.#popAll('end', this.#results)
    this.#requireHeight('end', this.#frames[0]!)
    const declarations: number[] = []
    let runs = 0
    const own = this.#types.slice(this.params.length)
    for (let start = 0; start < own.length; runs++) {
      let end = start
      while (own[end] === own[start]) end++
      declarations.push(...unsignedLeb(end - start), typeBytes[own[start]!])
      start = end
    }
    return [...unsignedLeb(runs), ...declarations].concat(this.#bytes, endByte)
  }

  /** An instruction of the tables; `name` is for messages. */
  emit<Kind extends Immediate>(name: string, op: Op<Kind>, values: Immediates[Kind]): void {
    const immediates = op.immediate === 'none' ? NO_BYTES : encodeImmediates[op.immediate](op, ...values)
    if (typeof immediates === 'string') this.#fail(name, immediates)
    this.#popAll(name, op.inputs)
    for (const byte of op.code) this.#bytes.push(byte)
    for (const byte of immediates) this.#bytes.push(byte)
    for (const type of op.outputs) this.#stack.push(type)
  }

  #instruction(code: number, immediate: number): void {
    this.#bytes.push(code)
    let rest = immediate
    for (; rest > 127; rest >>>= 7) this.#bytes.push((rest & 127) | 128)
    this.#bytes.push(rest)
  }

  #nest(kind: 'block' | 'loop', body: (label: Label) => void): void {
    const frame = this.#open(kind)
    body(frame as Frame & Label)
    this.#close(frame)
  }

  #open(kind: 'block' | 'loop' | 'if'): Frame {
    const frame: Frame = { kind, height: this.#stack.length, unreachable: false }
    this.#frames.push(frame)
    this.#bytes.push(frameBytes[kind], emptyBlockType)
    return frame
  }

  #close(frame: Frame): void {
    this.#requireHeight(`end of ${frame.kind}`, frame)
    this.#frames.pop()
    this.#bytes.push(endByte)
  }

  #depth(instruction: string, label: Label): number {
    const position = this.#frames.indexOf(label as Frame & Label)
    if (position < 0) this.#fail(instruction, 'expects the label of an enclosing block or loop')
    return this.#frames.length - 1 - position
  }

  #endReachable(): void {
    const frame = this.#frames.at(-1)!
    frame.unreachable = true
    this.#stack.length = frame.height
  }

  #popAll(instruction: string, expected: readonly ValueType[]): void {
    for (let i = expected.length - 1; i >= 0; i--) this.#pop(instruction, expected[i])
  }

  /** Pops one operand; undefined where code cannot be reached and its type is open. */
  #pop(instruction: string, expected?: ValueType): ValueType | undefined {
    const frame = this.#frames.at(-1)!
    if (this.#stack.length === frame.height) {
      if (frame.unreachable) return undefined
      this.#fail(instruction, `expects ${expected ?? 'a value'}, but the stack is empty`)
    }
    const found = this.#stack.pop()!
    if (expected && found !== expected) this.#fail(instruction, `expects ${expected}, found ${found}`)
    return found
  }

  #requireHeight(instruction: string, frame: Frame): void {
    const left = this.#stack.slice(frame.height)
    if (left.length > 0) this.#fail(instruction, `expects an empty stack, found ${left.join(', ')}`)
  }

  #requireOwn(instruction: string, local: Local): void {
    // Identity, not index: a temporary kept past its scope names a local that another user has by now.
    if (this.#handles[local.index] !== local) {
      this.#fail(
        instruction,
        `expects a local of this function, in scope; received ${local.type} ${local.index}`,
      )
    }
  }

  #fail(instruction: string, problem: string): never {
    throw new RecurraError('assembler', `${instruction} ${problem} (function "${this.#name}")`)
  }
}

interface MemoryImport {
  readonly module: string
  readonly name: string
  readonly limits: { readonly initial: number; readonly maximum?: number; readonly shared?: boolean }
}

/** Collects functions and writes the module. */
export class ModuleBuilder {
  #memory: MemoryImport | undefined
  #table: number[] | undefined
  readonly #imported: number[][] = []
  readonly #types = new Map<string, { index: number; bytes: number[] }>()
  readonly #functions: { ref: FunctionRef; type: number; code: number[] }[] = []
  readonly #exports: { name: string; ref: FunctionRef }[] = []

  /**
   * Imports the one memory of the module; limits are in pages of 64 KiB.
   *
   * @throws {RecurraError} on a second memory, or a shared one without a maximum
   */
  importMemory(module: string, name: string, limits: MemoryImport['limits']): void {
    if (this.#memory) throw new RecurraError('assembler', 'a module imports one memory; this is a second')
    if (limits.shared && limits.maximum === undefined) {
      throw new RecurraError('assembler', 'a shared memory needs a maximum')
    }
    this.#memory = { module, name, limits }
  }

  /** Imports a function without results. Before the first function is added. */
  importFunction(module: string, name: string, params: readonly ValueType[]): FunctionRef {
    const ref: FunctionRef = { index: this.#imported.length, params, results: [], name }
    this.#imported.push([...text(module), ...text(name), 0x00, ...unsignedLeb(this.#typeIndex(params, []))])
    return ref
  }

  /** Imports the one global of the module: a constant i32, told to each instance. */
  importTable(module: string, name: string): void {
    this.#table = [...text(module), ...text(name), 0x03, typeBytes.i32, 0]
  }

  /**
   * Adds a function; `body` runs at once and emits it.
   *
   * @throws {RecurraError} from the line of `body` that emits an instruction with wrong operands
   */
  func(
    name: string,
    params: readonly ValueType[],
    results: readonly ValueType[],
    body: (f: Code, ...params: Local[]) => void,
  ): FunctionRef {
    const ref: FunctionRef = { index: this.#imported.length + this.#functions.length, params, results, name }
    const entry = { ref, type: this.#typeIndex(params, results), code: [] as number[] }
    this.#functions.push(entry)
    const code = new Code(name, params, results)
    body(code, ...code.params)
    entry.code = code.finish()
    return ref
  }

  exportFunction(name: string, ref: FunctionRef): void {
    this.#exports.push({ name, ref })
  }

  /** The module's bytes, with a custom section that names its functions for profilers. */
  build(): Uint8Array<ArrayBuffer> {
    const named = this.#functions.map(({ ref }) => [...unsignedLeb(ref.index), ...text(ref.name)])
    return new Uint8Array(
      [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0].concat(
        section(1, vector([...this.#types.values()].map((type) => type.bytes))),
        section(
          2,
          vector([
            ...(this.#memory ? [memoryImport(this.#memory)] : []),
            ...(this.#table ? [this.#table] : []),
            ...this.#imported,
          ]),
        ),
        section(3, vector(this.#functions.map(({ type }) => unsignedLeb(type)))),
        section(
          7,
          vector(this.#exports.map(({ name, ref }) => [...text(name), 0, ...unsignedLeb(ref.index)])),
        ),
        section(10, vector(this.#functions.map(({ code }) => sized(code)))),
        section(0, text('name').concat(section(1, vector(named)))),
      ),
    )
  }

  #typeIndex(params: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${params}:${results}`
    let type = this.#types.get(key)
    if (!type) {
      const list = (types: readonly ValueType[]) => vector(types.map((each) => [typeBytes[each]]))
      type = { index: this.#types.size, bytes: [0x60, ...list(params), ...list(results)] }
      this.#types.set(key, type)
    }
    return type.index
  }
}

function memoryImport({ module, name, limits }: MemoryImport): number[] {
  const flags = (limits.maximum === undefined ? 0 : 1) | (limits.shared ? 2 : 0)
  const maximum = limits.maximum === undefined ? [] : unsignedLeb(limits.maximum)
  return [...text(module), ...text(name), 0x02, flags, ...unsignedLeb(limits.initial), ...maximum]
}
