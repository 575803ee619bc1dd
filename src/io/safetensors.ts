/**
 * Tensors and a string map as the bytes of one safetensors file, and back.
 * Enters: bytes that nobody vouches for, or tensors by name. Leaves: copies, never views of what entered.
 * The file: u64 N, N bytes of JSON (`name` → dtype, shape, data_offsets; `__metadata__` → strings), the data.
 * Holds: all is little-endian, and the data is covered exactly once, without holes or overlap. A file that breaks
 * this is refused before anything of the size that it claims is allocated; no other error leaves `readSafetensors`.
 */
import type { Dtype, TensorData } from '../tensor/dtype.ts'
import { allocate } from '../tensor/dtype.ts'
import { ArgumentError, FormatError, ShapeError } from '../tensor/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { elementCount } from '../tensor/tensor.ts'
import { shown } from './fields.ts'

export interface Safetensors {
  /** In the order of their data in the file. */
  readonly tensors: ReadonlyMap<string, Tensor>
  /** Without a prototype, so that every name in it is an ordinary one. Empty where the file has none. */
  readonly metadata: Readonly<Record<string, string>>
}

/** How an element lies in a file and what it becomes. */
interface StoredType {
  readonly bytes: number
  readonly dtype: Dtype
  /** The element's value or, where `bits` says so, the bits of its f32 (a NaN keeps its payload). */
  read(view: DataView, at: number): number
  readonly bits?: true
}

interface Entry {
  readonly name: string
  readonly type: StoredType
  readonly shape: readonly number[]
  readonly begin: number
  readonly end: number
}

const storedTypes: ReadonlyMap<string, StoredType> = new Map<string, StoredType>([
  ['F32', { bytes: 4, dtype: 'f32', bits: true, read: (view, at) => view.getInt32(at, true) }],
  ['BF16', { bytes: 2, dtype: 'f32', bits: true, read: (view, at) => view.getUint16(at, true) << 16 }],
  ['F16', { bytes: 2, dtype: 'f32', read: (view, at) => halfValue(view.getUint16(at, true)) }],
  ['F64', { bytes: 8, dtype: 'f32', read: (view, at) => view.getFloat64(at, true) }],
  ['I32', { bytes: 4, dtype: 'i32', read: (view, at) => view.getInt32(at, true) }],
  ['I64', { bytes: 8, dtype: 'i32', read: (view, at) => Number(view.getBigInt64(at, true)) }],
  ['U8', { bytes: 1, dtype: 'i32', read: (view, at) => view.getUint8(at) }],
  ['BOOL', { bytes: 1, dtype: 'bool', read: (view, at) => view.getUint8(at) }],
])

const written: Readonly<Record<Dtype, string>> = { f32: 'F32', i32: 'I32', bool: 'BOOL' }
const writtenBytes: Readonly<Record<Dtype, number>> = { f32: 4, i32: 4, bool: 1 }

const METADATA = '__metadata__'
const LENGTH_BYTES = 8
const MAX_HEADER_BYTES = 16 * 1024 * 1024
const entryFields: readonly string[] = ['dtype', 'shape', 'data_offsets']
/** The file's object, a tensor's object, its list of sizes. */
const MAX_DEPTH = 3

/**
 * Reads a safetensors file. F32, F16, BF16 and F64 become f32, I32, I64 and U8 become i32, BOOL becomes bool.
 *
 * @throws {FormatError} when the bytes are not a whole and valid file, when an element type is not one of these,
 * or when a number does not fit (an I64 outside i32, a finite F64 outside f32)
 */
export function readSafetensors(bytes: Uint8Array): Safetensors {
  const view = viewOf(bytes)
  const { header, start } = splitHeader(bytes, view)
  const { entries, metadata } = parseHeader(header, scanKeys(header))
  requireCover(entries, bytes.byteLength - start)
  return { tensors: new Map(entries.map((entry) => [entry.name, decode(entry, view, start)])), metadata }
}

/**
 * Writes a safetensors file: the same tensors and metadata give the same bytes, whatever their order. Wider
 * elements come first, then names by their code units, so that every element is aligned; data begins at a
 * multiple of 8. `__metadata__` is left out where `metadata` is empty.
 *
 * @throws {ArgumentError} when a name or text is not valid Unicode or reserved, the header would pass 16 MiB,
 * or data does not have its dtype
 * @throws {ShapeError} when a shape does not hold its data
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const width = ([, tensor]: readonly [string, Tensor]) => writtenBytes[tensor.dtype]
  const ordered = [...tensors].sort(byName).sort((a, b) => width(b) - width(a))
  const texts = Object.entries(metadata).sort(byName)
  const described = `"${METADATA}":{${texts.map((pair) => pair.map(quoted).join(':')).join(',')}}`
  const members = texts.length > 0 ? [described] : []
  let end = 0
  for (const [name, tensor] of ordered) {
    requireWritable(name, tensor)
    const begin = end
    end += tensor.data.length * writtenBytes[tensor.dtype]
    const entry = { dtype: written[tensor.dtype], shape: tensor.shape, data_offsets: [begin, end] }
    members.push(`${quoted(name)}:${JSON.stringify(entry)}`)
  }
  const header = new TextEncoder().encode(`{${members.join(',')}}`)
  let at = LENGTH_BYTES + Math.ceil(header.length / 8) * 8
  if (at - LENGTH_BYTES > MAX_HEADER_BYTES) {
    throw new ArgumentError(`names and metadata take ${header.length} bytes: ${MAX_HEADER_BYTES} is the most`)
  }
  const file = new Uint8Array(at + end)
  const view = viewOf(file)
  view.setBigUint64(0, BigInt(at - LENGTH_BYTES), true)
  file.fill(' '.charCodeAt(0), LENGTH_BYTES, at)
  file.set(header, LENGTH_BYTES)
  for (const [, tensor] of ordered) at = encode(tensor, view, at)
  return file
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** The JSON and where the data starts. N is compared as it stands: as a double it could round into range. */
function splitHeader(bytes: Uint8Array, view: DataView): { header: string; start: number } {
  const present = bytes.byteLength - LENGTH_BYTES
  demand(present >= 0, `expected at least ${LENGTH_BYTES} bytes, received ${bytes.byteLength}`)
  const claimed = view.getBigUint64(0, true)
  demand(claimed <= present, `it claims a header of ${claimed} bytes, but ${present} bytes follow`)
  demand(claimed <= MAX_HEADER_BYTES, `its header takes ${claimed} bytes: ${MAX_HEADER_BYTES} is the most`)
  const start = LENGTH_BYTES + Number(claimed)
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const header = attempt(() => utf8.decode(bytes.slice(LENGTH_BYTES, start)), 'its header is not UTF-8')
  demand(header.startsWith('{'), 'its header does not begin with {')
  return { header, start }
}

/**
 * What JSON.parse would hide, found before it runs: the depth, numbers that are not plain digits (`-0`, `1.0`), and
 * how many keys are written (every colon outside a string follows one), which tells of keys that stand twice.
 */
function scanKeys(header: string): number {
  let keys = 0
  let depth = 0
  for (let i = 0; i < header.length; i++) {
    const letter = header[i]!
    if (letter === '"') {
      for (i++; i < header.length && header[i] !== '"'; i++) if (header[i] === '\\') i++
    } else if (letter === ':') keys++
    else if (letter === '{' || letter === '[') depth++
    else if (letter === '}' || letter === ']') depth--
    else if (!'0123456789, \t\r\n'.includes(letter)) {
      throw broken(`in its header stands ${letter} where only strings and whole numbers from 0 may stand`)
    }
    demand(depth <= MAX_DEPTH, 'its header is nested too deep')
  }
  return keys
}

function parseHeader(header: string, keys: number): { entries: Entry[]; metadata: Record<string, string> } {
  const root: unknown = attempt(() => JSON.parse(header), 'its header is not JSON')
  const entries: Entry[] = []
  const metadata: Record<string, string> = Object.create(null)
  let found = 0
  for (const [name, value] of membersOf(root, 'its header')) {
    const members = membersOf(value, shown(name))
    found += 1 + members.size
    if (name !== METADATA) entries.push(parseEntry(name, members))
    else for (const [key, text] of members) metadata[key] = stringOf(text, `${METADATA} ${shown(key)}`)
  }
  demand(found === keys, 'a key stands twice in one object of its header')
  return { entries, metadata }
}

function parseEntry(name: string, members: ReadonlyMap<string, unknown>): Entry {
  const where = shown(name)
  for (const key of members.keys()) {
    demand(entryFields.includes(key), `${where} has an unknown field ${shown(key)}`)
  }
  const stored = stringOf(members.get('dtype'), `dtype of ${where}`)
  const type = storedTypes.get(stored)
  if (type === undefined) {
    const known = [...storedTypes.keys()].join(', ')
    throw new FormatError(`${where} has the element type ${shown(stored)}; convert it to one of ${known}`)
  }
  const shape = sizesOf(members.get('shape'), `shape of ${where}`)
  const offsets = sizesOf(members.get('data_offsets'), `data_offsets of ${where}`)
  const [begin, end] = offsets
  const ordered = begin !== undefined && end !== undefined && offsets.length === 2 && begin <= end
  demand(ordered, `data_offsets of ${where} are not [begin, end]`)
  // Beyond 2^53 a product is rounded, infinite or NaN, and so never the difference of two offsets.
  const needed = elementCount(shape) * type.bytes
  demand(needed === end - begin, `${where} needs ${needed} bytes for its shape, but has ${end - begin}`)
  return { name, type, shape, begin, end }
}

/** Brings the entries into the order of their data, which must be covered exactly once. */
function requireCover(entries: Entry[], dataBytes: number): void {
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let covered = 0
  for (const { name, begin, end } of entries) {
    const fault = begin < covered ? 'overlaps the tensor before it' : 'leaves a hole before it'
    demand(begin === covered, `${shown(name)} ${fault}: expected at ${covered}, received at ${begin}`)
    covered = end
  }
  demand(covered === dataBytes, `its tensors take ${covered} bytes of data, but ${dataBytes} are there`)
}

function decode({ name, type, shape, begin }: Entry, view: DataView, start: number): Tensor {
  const count = elementCount(shape)
  const data: TensorData = type.bits ? new Int32Array(count) : allocate(type.dtype, count)
  for (let i = 0; i < count; i++) {
    const value = type.read(view, start + begin + i * type.bytes)
    data[i] = value
    const fits =
      data instanceof Float32Array ? Number.isFinite(data[i]) === Number.isFinite(value) : data[i] === value
    if (!fits || (type.dtype === 'bool' && value > 1)) {
      throw new FormatError(`${shown(name)} holds ${value} at element ${i}, which no ${type.dtype} can hold`)
    }
  }
  return { data: type.bits ? new Float32Array(data.buffer) : data, shape, dtype: type.dtype }
}

function encode({ data, dtype }: Tensor, view: DataView, start: number): number {
  const bytes = writtenBytes[dtype]
  const bits = new Int32Array(data.buffer, data.byteOffset, data.length)
  for (let i = 0; i < bits.length; i++) {
    if (dtype === 'bool') view.setUint8(start + i, bits[i]!)
    else view.setInt32(start + i * bytes, bits[i]!, true)
  }
  return start + bits.length * bytes
}

function requireWritable(name: string, { data, shape, dtype }: Tensor): void {
  if (name === METADATA) throw new ArgumentError(`${METADATA} is reserved by the format: choose another name`)
  if (data instanceof Float32Array !== (dtype === 'f32')) {
    throw new ArgumentError(`${shown(name)} is ${dtype}, but its data is a ${data.constructor.name}`)
  }
  if (dtype === 'bool' && data.some((value) => value !== 0 && value !== 1)) {
    throw new ArgumentError(`${shown(name)} is bool, but holds other numbers than 0 and 1`)
  }
  const sized = shape.every((size) => Number.isSafeInteger(size) && size >= 0)
  if (!sized || elementCount(shape) !== data.length) {
    throw new ShapeError(`${shown(name)} has the shape [${shape.join(', ')}], but ${data.length} elements`)
  }
}

function membersOf(value: unknown, what: string): ReadonlyMap<string, unknown> {
  demand(typeof value === 'object' && value !== null && !Array.isArray(value), `${what} is not an object`)
  return new Map(Object.entries(value))
}

function stringOf(value: unknown, what: string): string {
  demand(typeof value === 'string', `${what} is not a string`)
  return value
}

function sizesOf(value: unknown, what: string): number[] {
  demand(Array.isArray(value) && value.every(Number.isSafeInteger), `${what} is not a list of whole numbers`)
  return value
}

/** A text as JSON; half a surrogate pair has no UTF-8, and other readers refuse its escape. */
function quoted(text: string): string {
  if (/\p{Surrogate}/u.test(text)) throw new ArgumentError(`${shown(text)} holds half a surrogate pair`)
  return JSON.stringify(text)
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** IEEE binary16: every value of it, infinities and NaN included. */
function halfValue(half: number): number {
  const exponent = (half >> 10) & 31
  const fraction = half & 1023
  const sign = half & 0x8000 ? -1 : 1
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * (1 << exponent) * 2 ** -25)
}

function demand(holds: boolean, fault: string): asserts holds {
  if (!holds) throw broken(fault)
}

function attempt<T>(step: () => T, fault: string): T {
  try {
    return step()
  } catch (cause) {
    throw broken(fault, { cause })
  }
}

function broken(fault: string, options?: ErrorOptions): FormatError {
  const advice = 'It may be cut short or altered: save or copy it again'
  return new FormatError(`not a valid safetensors file: ${fault}. ${advice}`, options)
}
