import { describe, expect, test } from 'vitest'
import wabtModule from 'wabt'
import { type Code, type FunctionRef, type Local, ModuleBuilder, type ValueType } from './assembler.ts'
import * as ops from './opcodes.ts'

const tables = {
  i32: ops.i32Ops,
  f32: ops.f32Ops,
  v128: ops.v128Ops,
  i8x16: ops.i8x16Ops,
  i32x4: ops.i32x4Ops,
  f32x4: ops.f32x4Ops,
}

const wabt = await wabtModule()

type Run = (...args: number[]) => number

function build(fill: (m: ModuleBuilder) => void) {
  const builder = new ModuleBuilder()
  builder.importMemory('env', 'memory', { initial: 1 })
  fill(builder)
  return builder.build()
}

function validate(bytes: Uint8Array) {
  const parsed = wabt.readWasm(bytes, { readDebugNames: true, simd: true })
  parsed.validate()
  const wat = parsed.toText({ foldExprs: false, inlineExport: false })
  parsed.destroy()
  return wat
}

/** Emits one function, validates it twice, and returns it with its memory. */
function compile(
  params: readonly ValueType[],
  results: readonly ValueType[],
  body: (f: Code, ...params: Local[]) => void,
) {
  const bytes = build((m) => m.exportFunction('run', m.func('run', params, results, body)))
  validate(bytes)
  const memory = new WebAssembly.Memory({ initial: 1 })
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } })
  return { run: exports.run as Run, memory }
}

const emit = (body: (f: Code) => unknown) => () => build((m) => m.func('bad', [], [], body))

describe('what runs', () => {
  test('loop, if and else, scoped locals, calls: the Collatz steps of n', () => {
    const bytes = build((m) => {
      const next: FunctionRef = m.func('next', ['i32'], ['i32'], (f, n) => {
        f.get(n)
        f.i32.const(1)
        f.i32.and()
        f.if(
          () => {
            f.get(n)
            f.i32.const(3)
            f.i32.mul()
            f.i32.const(1)
            f.i32.add()
            f.set(n)
          },
          () => {
            f.get(n)
            f.i32.const(1)
            f.i32.shrU()
            f.set(n)
          },
        )
        f.get(n)
      })
      const steps = m.func('steps', ['i32'], ['i32'], (f, n) => {
        f.scoped('i32', (count) => {
          f.block((done) => {
            f.loop((again) => {
              f.get(n)
              f.i32.const(1)
              f.i32.eq()
              f.brIf(done)
              f.get(n)
              f.call(next)
              f.set(n)
              f.get(count)
              f.i32.const(1)
              f.i32.add()
              f.set(count)
              f.br(again)
            })
          })
          f.get(count)
        })
      })
      m.exportFunction('steps', steps)
    })
    expect(validate(bytes)).toContain('(func $steps')
    const memory = new WebAssembly.Memory({ initial: 1 })
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } })
    expect((exports.steps as Run)(27)).toBe(111)
  })

  test('vectors: loads, lanes, shuffle, constants, store', () => {
    const { run, memory } = compile(['i32'], ['i32'], (f, at) => {
      f.get(at)
      f.get(at)
      f.v128.load()
      f.get(at)
      f.v128.load(16)
      f.i8x16.shuffle([28, 29, 30, 31, 8, 9, 10, 11, 20, 21, 22, 23, 0, 1, 2, 3])
      f.f32x4.const(10, 20, 30, 40)
      f.f32x4.mul()
      f.v128.store(32)
      f.get(at)
      f.get(at)
      f.v128.load32Splat(4)
      f.v128.store32Lane(3, 48)
      f.get(at)
      f.get(at)
      f.v128.load(32)
      f.v128.load32Lane(2, 4)
      f.i32x4.extractLane(2)
    })
    const view = new Float32Array(memory.buffer)
    view.set([1, 2, 3, 4, 5, 6, 7, 8])
    expect(new Float32Array(Int32Array.of(run(0)).buffer)[0]).toBe(2)
    expect([...view.subarray(8, 13)]).toEqual([80, 60, 180, 40, 2])
  })

  test('integers keep sign and width in LEB128', () => {
    for (const n of [0, -1, 63, 64, -64, -65, 127, 128, 2 ** 31 - 1, -(2 ** 31)]) {
      expect(compile([], ['i32'], (f) => f.i32.const(n)).run()).toBe(n)
    }
    expect(compile([], ['i32'], (f) => f.i32.const(0xffffffff)).run()).toBe(-1)
  })

  test('every instruction of the tables validates', () => {
    const constants = {
      i32: (f: Code) => f.i32.const(1),
      f32: (f: Code) => f.f32.const(1),
      v128: (f: Code) => f.i32x4.const(0),
    }
    const immediates = {
      none: [],
      memory: [4],
      lane: [1],
      memoryLane: [1, 4],
      i32: [1],
      f32: [1],
    }
    const others = {
      i32Lanes: [1],
      f32Lanes: [1],
      shuffle: [new Array(16).fill(31)],
    }
    const wat = validate(
      build((m) => {
        m.func('all', [], [], (f) => {
          for (const [group, table] of Object.entries(tables)) {
            const emitters = f[group as keyof typeof tables] as unknown as Record<
              string,
              (...values: unknown[]) => void
            >
            for (const [name, op] of Object.entries<ops.Op>(table)) {
              for (const type of op.inputs) constants[type](f)
              emitters[name]!(...{ ...immediates, ...others }[op.immediate])
              for (const _ of op.outputs) f.drop()
            }
          }
          f.i32.const(0)
          f.i32.const(8)
          f.i32.const(4)
          f.memoryCopy()
          f.i32.const(0)
          f.i32.const(8)
          f.i32.const(4)
          f.memoryFill()
          f.f32x4.const(0)
          f.f32x4.const(1)
          f.i32.const(0)
          f.select()
          f.drop()
        })
      }),
    )
    // The disassembler calls each of them by our name in snake case: every opcode is the one meant.
    const found = [...wat.matchAll(/^ *(\w+\.\w+)/gm)].map(([, name]) => name!)
    const meant = Object.entries(tables).flatMap(([group, table]) =>
      Object.keys(table).map(
        (name) => `${group}.${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`,
      ),
    )
    const isTested = (name: string) => !/\.const$|^memory/.test(name)
    expect(found.filter(isTested)).toEqual(meant.filter(isTested))
  })

  test('shared memory declares its maximum', () => {
    const builder = new ModuleBuilder()
    builder.importMemory('env', 'memory', { initial: 1, maximum: 2, shared: true })
    const module = new WebAssembly.Module(builder.build())
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true })
    expect(() => new WebAssembly.Instance(module, { env: { memory } })).not.toThrow()
    expect(() => new ModuleBuilder().importMemory('e', 'm', { initial: 1, shared: true })).toThrow('maximum')
  })

  test('code behind a branch takes any operands', () => {
    compile([], ['i32'], (f) => {
      f.block((out) => {
        f.br(out)
        f.i32.add()
        f.drop()
      })
      f.i32.const(0)
    })
  })
})

describe('what throws where it is emitted', () => {
  const wrong: [string, (f: Code) => unknown, string][] = [
    ['operand type', (f) => [f.i32.const(1), f.f32.const(1), f.i32.add()], 'i32.add expects i32, found f32'],
    ['empty stack', (f) => f.f32x4.add(), 'f32x4.add expects v128, but the stack is empty'],
    [
      'store order',
      (f) => [f.f32.const(1), f.i32.const(0), f.f32.store()],
      'f32.store expects f32, found i32',
    ],
    ['local type', (f) => [f.f32.const(1), f.set(f.local('i32'))], 'local.set expects i32, found f32'],
    ['left over', (f) => f.i32.const(1), 'end expects an empty stack, found i32'],
    ['left in a block', (f) => f.block(() => f.i32.const(1)), 'end of block expects an empty stack'],
    [
      'left in then',
      (f) => [
        f.i32.const(1),
        f.if(
          () => f.i32.const(1),
          () => {},
        ),
      ],
      'else expects an empty stack',
    ],
    ['below a block', (f) => [f.i32.const(1), f.block(() => f.drop())], 'drop expects a value'],
    [
      'unlike select',
      (f) => [f.i32.const(1), f.f32.const(1), f.i32.const(1), f.select()],
      'expects f32, found i32',
    ],
    ['shuffle lanes', (f) => f.i8x16.shuffle([1, 2]), 'i8x16.shuffle expects 16 lanes'],
    ['lane', (f) => [f.i32x4.const(1), f.i32x4.extractLane(4)], 'expects lanes from 0 to 3; received 4'],
    ['offset', (f) => [f.i32.const(0), f.f32.load(-4)], 'expects an offset of 32 bits; received -4'],
    ['constant', (f) => f.i32.const(0.5), 'i32.const expects an integer of 32 bits; received 0.5'],
  ]
  test.each(wrong)('%s', (_, body, message) => {
    expect(emit(body)).toThrow(message)
  })

  test('the result of a function, an argument of a call', () => {
    expect(() => build((m) => m.func('f', [], ['f32'], (f) => f.i32.const(1)))).toThrow('end expects f32')
    const call = () =>
      build((m) => {
        const g = m.func('g', ['f32'], [], () => {})
        m.func('f', [], [], (f) => [f.i32.const(1), f.call(g)])
      })
    expect(call).toThrow('call g expects f32, found i32 (function "f")')
  })

  test('a scoped local after its scope, a label outside its block', () => {
    const late = emit((f) => {
      let kept: Local | undefined
      f.scoped('i32', (local) => {
        kept = local
      })
      f.scoped('i32', () => f.get(kept!))
    })
    expect(late).toThrow('local.get expects a local of this function, in scope')
    const escaped = emit((f) => {
      let kept: Parameters<Code['br']>[0] | undefined
      f.block((label) => {
        kept = label
      })
      f.br(kept!)
    })
    expect(escaped).toThrow('br expects the label of an enclosing block or loop')
  })
})
