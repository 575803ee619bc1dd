/**
 * The numbers that initializers make. Enters: a parameter, a seed, the parameter's path; leaves: its numbers, row-major.
 * Holds: they depend on these alone, on no engine.
 */
import { dot } from '../tensor/dot.ts'
import { ArgumentError } from '../tensor/errors.ts'
import { log } from '../tensor/math.ts'
import { fillNormal, fillUniform, streamOf, uniform } from '../tensor/random.ts'
import { elementCount } from '../tensor/tensor.ts'
import type { Initializer, Parameter, Scaling } from './initializers.ts'

/** Writes the numbers of an initializer of that kind into `data`, zeros [size, size]. */
export type Fill<K extends Initializer['kind']> = (
  data: Float32Array,
  size: number,
  init: Extract<Initializer, { kind: K }>,
  seed: number,
  path: string,
) => void

/** What few models need comes with the cell that asks for it, so that no other page downloads it. */
export const brought: { reservoir: Fill<'reservoir'> } = {
  reservoir: (_data, _size, _init, _seed, path) => {
    throw new ArgumentError(`${path}: a reservoir needs echoStateCell`)
  },
}

/** Variance = scale / n, n being the fan in or the mean of fan in and fan out. */
const SCALINGS: {
  readonly [K in Scaling]: { scale: number; fan: 'in' | 'mean'; draw: 'uniform' | 'normal' }
} = {
  glorotUniform: { scale: 1, fan: 'mean', draw: 'uniform' },
  glorotNormal: { scale: 1, fan: 'mean', draw: 'normal' },
  heUniform: { scale: 2, fan: 'in', draw: 'uniform' },
  heNormal: { scale: 2, fan: 'in', draw: 'normal' },
  lecunUniform: { scale: 1, fan: 'in', draw: 'uniform' },
  lecunNormal: { scale: 1, fan: 'in', draw: 'normal' },
}

/** The deviation of a normal distribution of deviation 1 that is cut at ±2. */
const TRUNCATED_DEVIATION = 0.8796256610342398

/** The numbers of a parameter, row-major. */
export function initialize({ shape, init }: Parameter, seed: number, path: string): Float32Array {
  const data = new Float32Array(elementCount(shape))
  const stream = streamOf(path)
  switch (init.kind) {
    case 'constant':
      return data.fill(init.value)
    case 'uniform':
      fillUniform(data, seed, stream, init.low, init.high)
      return data
    case 'normal':
      fillNormal(data, seed, stream, 0, init.deviation)
      return data
    case 'truncatedNormal':
      return fillTruncated(data, seed, path, init.deviation)
    case 'orthogonal':
      fillNormal(data, seed, stream, 0, 1)
      return orthogonalize(data, [elementCount(shape.slice(0, -1)), shape.at(-1)!], init.gain)
    case 'identity':
      for (let i = 0; i < Math.min(shape[0]!, shape[1]!); i++) data[i * shape[1]! + i] = init.gain
      return data
    case 'ring':
      fillRing(data, shape[1]!, init, seed, stream)
      return data
    case 'reservoir':
      brought.reservoir(data, shape[0]!, init, seed, path)
      return data
    case 'joined':
      fillJoined(data, shape[shape.length - 1]!, init.parts, seed, path)
      return data
    default: {
      const { scale, fan, draw } = SCALINGS[init.kind]
      const [fanIn, fanOut] = fans(shape)
      const count = fan === 'in' ? fanIn : (fanIn + fanOut) / 2
      if (draw === 'normal')
        return fillTruncated(data, seed, path, Math.sqrt(scale / count) / TRUNCATED_DEVIATION)
      const limit = Math.sqrt((3 * scale) / count)
      fillUniform(data, seed, stream, -limit, limit)
      return data
    }
  }
}

/** Fan in and fan out: of a matrix its rows and columns; of more axes, times the sizes of the leading ones. */
function fans(shape: readonly number[]): [number, number] {
  if (shape.length < 2) return [shape[0] ?? 1, shape[0] ?? 1]
  const field = elementCount(shape.slice(0, -2))
  return [shape[shape.length - 2]! * field, shape[shape.length - 1]! * field]
}

/** Normal numbers; each that lies beyond two deviations is replaced from another stream until none does. */
function fillTruncated(data: Float32Array, seed: number, path: string, deviation: number): Float32Array {
  const limit = 2 * Math.abs(deviation)
  fillNormal(data, seed, streamOf(path), 0, deviation)
  for (let round = 1; data.some((value) => Math.abs(value) > limit); round++) {
    const others = new Float32Array(data.length)
    fillNormal(others, seed, streamOf(`${path} again ${round}`), 0, deviation)
    for (const [i, other] of others.entries()) if (Math.abs(data[i]!) > limit) data[i] = other
  }
  return data
}

function fillRing(
  data: Float32Array,
  count: number,
  { minRadius, maxRadius, maxPhase }: Extract<Initializer, { kind: 'ring' }>,
  seed: number,
  stream: number,
): void {
  // Between the multiples of 2⁻³², so that neither 0 nor 1 comes of it.
  const drawn = (i: number) => uniform(seed, stream, i) + 2 ** -33
  const low = minRadius * minRadius
  for (let i = 0; i < count; i++) {
    const square = low + (maxRadius * maxRadius - low) * drawn(i)
    data[i] = log(-0.5 * log(square))
    data[count + i] = log(maxPhase * drawn(count + i))
    data[2 * count + i] = 0.5 * log(1 - square)
  }
}

function fillJoined(
  data: Float32Array,
  columns: number,
  parts: readonly Parameter[],
  seed: number,
  path: string,
): void {
  let start = 0
  for (const [i, part] of parts.entries()) {
    const own = initialize(part, seed, `${path}[${i}]`)
    const width = part.shape[part.shape.length - 1]!
    for (let at = 0; at < own.length; at++) {
      data[Math.floor(at / width) * columns + start + (at % width)] = own[at]!
    }
    start += width
  }
}

/** The modified Gram–Schmidt process over rows or columns, whichever are fewer, in f64. */
function orthogonalize(data: Float32Array, [rows, columns]: readonly [number, number], gain: number) {
  const byRow = rows <= columns
  const [count, length] = byRow ? [rows, columns] : [columns, rows]
  const at = (vector: number, i: number) => (byRow ? vector * columns + i : i * columns + vector)
  const basis: Float64Array[] = []
  for (let vector = 0; vector < count; vector++) {
    const own = Float64Array.from({ length }, (_, i) => data[at(vector, i)]!)
    for (const known of basis) {
      const along = dot(own, known)
      for (let i = 0; i < length; i++) own[i]! -= along * known[i]!
    }
    const norm = Math.sqrt(dot(own, own))
    for (let i = 0; i < length; i++) own[i]! /= norm
    basis.push(own)
    for (let i = 0; i < length; i++) data[at(vector, i)] = gain * own[i]!
  }
  return data
}
