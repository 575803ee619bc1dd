/** Sequences of unlike lengths → batches. B rows of a batch, T time steps. */
import { requireFlag } from '../tensor/checks.ts'
import { ArgumentError, DataError, ShapeError } from '../tensor/errors.ts'
import { alike, asLong, isTensor, pad, requireSameSize, type Sequence } from '../tensor/padding.ts'
import { elementCount, type Tensor, tensor } from '../tensor/tensor.ts'
import type { Batch, Batches, Named, NamedBatch } from './batches.ts'
import { requireOptions } from './guards.ts'
import { batchesOf, type Order } from './order.ts'

type Inputs = readonly Sequence[] | Tensor
type Targets = readonly Sequence[] | readonly number[] | Tensor

export interface SequencesOptions extends Order {
  /** For each sequence as many 0 and 1 as it has steps: what stands at a 0 is not looked at. */
  readonly mask?: readonly Sequence[]
  /** How much sequences weigh in the loss: one number each, or for each as many as it has steps. */
  readonly weights?: Targets
  /** Targets are labels of no step in particular, for `ctc`: i32 [B, S], −1 behind each row's last. Default: false. */
  readonly labels?: boolean
}

export interface NamedSequencesOptions extends Order {
  /** By input. */
  readonly mask?: Readonly<Record<string, readonly Sequence[]>>
  /** By output. */
  readonly weights?: Named<Tensor | readonly number[]>
}

/** What batches are filled from: values of the rows that were picked. */
type Rows = (picked: Int32Array) => Tensor

/**
 * Sequences of unlike lengths, padded with zeros to the longest of their batch. Every batch has `lengths` (or a `mask`) and
 * resets; the last may have fewer rows. Sequences of one length may be one tensor, [N, T, …]: then there are no lengths.
 *
 * Lists of numbers (f32 [features]) with one target a row are rows without time: they come as they are, without lengths.
 *
 *     sequences([[[1], [2], [3]], [[4]]], tensor([[0], [1]]), { batch: 2 })   // inputs f32 [2, 3, 1], lengths [3, 1]
 *
 * A model of several inputs or outputs has them by name:
 *
 *     sequences({ source, target }, next, { batch: 32, shuffle: true })
 *
 * @param inputs N sequences, alike in all but length; or one tensor [N, T, …]
 * @param targets a list of N sequences, each as long as its input (one target a step); or one tensor [N, …] (one a
 * row, or, of inputs that are one tensor, [N, T, …]), where plain numbers are one class a row, i32 [N]
 * @throws {ArgumentError} unless `batch` is an integer of at least 1, and for lists that are none
 * @throws {DataError} when there is no sequence, one has no step, or inputs and targets (or mask, or weights) differ in number or length
 * @throws {ShapeError} when sequences differ in element type or in their sizes after time
 */
export function sequences(inputs: Inputs, targets: Targets, options: SequencesOptions): Batches
export function sequences(
  inputs: Named<Inputs>,
  targets: Named<Targets>,
  options: NamedSequencesOptions,
): Batches<NamedBatch>
export function sequences(
  inputs: Named<Inputs>,
  targets: Named<Targets>,
  options: SequencesOptions | NamedSequencesOptions,
): Batches<NamedBatch> {
  requireOptions('sequences', options, ['batch', 'mask', 'weights', 'labels', 'shuffle', 'seed', 'bucket'])
  const cut = batchesOf(options)
  const plain = isPlain(inputs) && isPlain(targets)
  const { lengths, tokens, batchOf } = plain
    ? single(inputs, targets, options as SequencesOptions)
    : several(inputs, targets, options as NamedSequencesOptions)
  const batches = cut(lengths)
  const epoch = (number: number): Iterable<NamedBatch> => ({
    *[Symbol.iterator]() {
      for (const picked of batches(number)) yield { ...batchOf(picked), reset: true }
    },
  })
  return {
    ...{ count: Math.ceil(lengths.length / options.batch), tokens },
    ...(options.shuffle === true && { epoch }),
    [Symbol.iterator]: () => epoch(1)[Symbol.iterator](),
  }
}

interface Table<B> {
  /** Of its rows, in steps. */
  readonly lengths: Int32Array
  readonly tokens: number
  batchOf(picked: Int32Array): Omit<B, 'reset'>
}

function single(
  inputs: Inputs,
  targets: Targets,
  { mask, weights, labels = false }: SequencesOptions,
): Table<Batch> {
  requireFlag('sequences', 'labels', labels)
  const even = isTensor(inputs)
  const rows = alike('inputs', even ? rowsOf(inputs) : inputs)
  const lengths = lengthsOf(rows)
  const one = labels ? undefined : oneARow(targets)
  const targetsOf = labels
    ? labelRows(targets, rows.length)
    : one !== undefined
      ? perRow('targets', one, rows.length)
      : perStep(targets as Sequence[], lengths)
  const timeless = one !== undefined && isTimeless(rows)
  if (timeless) requireSameSize(lengths)
  const there = presence(lengths, { timeless, even }, mask)
  const weightsOf = weights === undefined ? undefined : weightRows(weights, lengths)
  return {
    lengths,
    tokens: there.steps,
    batchOf: (picked) => ({
      inputs: padded(rows, picked),
      targets: targetsOf(picked),
      ...there.of(picked),
      ...(weightsOf && { weights: weightsOf(picked) }),
    }),
  }
}

/** Columns by the names of inputs and outputs. */
function several(
  inputs: Named<Inputs>,
  targets: Named<Targets>,
  { mask = {}, weights }: NamedSequencesOptions,
): Table<NamedBatch> {
  const read = entries(inputs, 'x').map(([name, values]) => {
    const even = isTensor(values)
    const rows = alike(`inputs ${name}`, even ? rowsOf(values) : values)
    const timeless = isTimeless(rows)
    const lengths = lengthsOf(rows)
    if (timeless) requireSameSize(lengths)
    return [name, rows, presence(lengths, { timeless, even }, mask[name]), timeless ? [] : lengths] as const
  })
  const count = read[0]![1].length
  for (const [name, rows] of read) {
    if (rows.length === count) continue
    throw new DataError(
      `inputs: ${read[0]![0]} has ${count} rows; received ${rows.length} of ${name}: every input has as many`,
    )
  }
  const longest = Int32Array.from({ length: count }, (_, row) =>
    Math.max(0, ...read.map(([, , , steps]) => steps[row] ?? 0)),
  )
  let tokens = count
  const written = entries(targets, 'output').map(([name, values]): [string, Rows] => {
    const one = oneARow(values)
    if (one !== undefined) return [name, perRow(`targets ${name}`, one, count)]
    const rows = alike(`targets ${name}`, values as Sequence[])
    tokens = Math.max(tokens, sum(lengthsOf(rows)))
    return [name, (picked) => padded(rows, picked)]
  })
  const weighed = weights === undefined ? [] : entries(weights, 'output')
  const weightsOf = weighed.map(([name, values]): [string, Rows] => [
    name,
    perRow(`weights ${name}`, isTensor(values) ? values : tensor(values, undefined, 'f32'), count),
  ])
  const named = <V>(all: readonly (readonly [string, V])[]) => Object.fromEntries(all)
  const isSole = isPlain(targets)
  return {
    ...{ lengths: longest, tokens },
    batchOf: (picked) => {
      const there = read.map(([name, , own]) => [name, own.of(picked)] as const)
      const ends = there.flatMap(([name, { lengths }]) => (lengths ? [[name, lengths] as const] : []))
      const masks = there.flatMap(([name, own]) => (own.mask ? [[name, own.mask] as const] : []))
      const all = written.map(([name, rows]) => [name, rows(picked)] as const)
      return {
        inputs: isPlain(inputs)
          ? padded(read[0]![1], picked)
          : named(read.map(([name, rows]) => [name, padded(rows, picked)])),
        targets: isSole ? all[0]![1] : named(all),
        ...(ends.length > 0 && { lengths: named(ends) }),
        ...(masks.length > 0 && { mask: named(masks) }),
        ...(weightsOf.length > 0 && {
          weights: named(weightsOf.map(([name, rows]) => [name, rows(picked)])),
        }),
      }
    },
  }
}

function isPlain<T>(values: Named<T>): values is T {
  return Array.isArray(values) || isTensor(values) || typeof values !== 'object' || values === null
}

function entries<T>(values: Named<T>, sole: string): [string, T][] {
  const all: [string, T][] = isPlain(values) ? [[sole, values]] : Object.entries(values)
  if (all.length > 0) return all
  throw new DataError('sequences: expected inputs and targets by name; received none')
}

function isTimeless([first]: readonly Tensor[]): boolean {
  return first!.shape.length === 1 && first!.dtype === 'f32'
}

const lengthsOf = (rows: readonly Tensor[]) => Int32Array.from(rows, ({ shape }) => shape[0]!)
const padded = (rows: readonly Tensor[], picked: Int32Array) => pad(Array.from(picked, (row) => rows[row]!))
const sum = (counts: Iterable<number>) => Array.from(counts).reduce((all, count) => all + count, 0)

/** Targets that are one a row as a tensor; undefined where they are a list of sequences. */
function oneARow(targets: Targets): Tensor | undefined {
  if (isTensor(targets)) return targets
  const isNumber = (each: unknown) => typeof each === 'number'
  if (!Array.isArray(targets) || targets.length === 0 || !targets.every(isNumber)) return undefined
  const odd = targets.find((each) => (each | 0) !== each)
  if (odd === undefined) return tensor(targets, undefined, 'i32')
  throw new DataError(
    `targets: plain numbers are classes, whole numbers; received ${odd}. For values give a tensor: tensor([[0.5], …])`,
  )
}

function perRow(name: string, values: Tensor, count: number): Rows {
  const { shape } = values
  if (shape[0] !== count) {
    throw new DataError(
      `${name} of shape [${shape.join(', ')}] must have one row for each of the ${count} sequences`,
    )
  }
  const { data, dtype } = values
  const width = elementCount(shape.slice(1))
  return (picked) => {
    const own = data.slice(0, picked.length * width)
    for (const [place, row] of picked.entries()) {
      own.set(data.subarray(row * width, (row + 1) * width), place * width)
    }
    return tensor(own, [picked.length, ...shape.slice(1)], dtype)
  }
}

function perStep(targets: readonly Sequence[], lengths: Int32Array): Rows {
  const advice = 'Give one target a step, or a tensor with one row a sequence.'
  const rows = asLong('targets', targets, lengths, advice)
  return (picked) => padded(rows, picked)
}

/** Labels of each row, as many as it has, filled up with −1. */
function labelRows(all: Targets, count: number): Rows {
  if (!Array.isArray(all) || all.length !== count) {
    throw new DataError(
      `targets: expected a list of labels for each of the ${count} sequences; received ${Array.isArray(all) ? all.length : typeof all}`,
    )
  }
  const rows = all.map((each: Sequence | number, i) => {
    const own = isTensor(each) ? each.data : each
    const isList = Array.isArray(own) || own instanceof Int32Array
    if (isList && own.every((label: unknown) => Number.isInteger(label) && Number(label) >= 0))
      return own as Int32Array
    throw new DataError(
      `targets: labels are a list of integers of at least 0; received ${String(own)} for sequence ${i}`,
    )
  })
  return (picked) => {
    const own = Array.from(picked, (row) => rows[row]!)
    const most = own.reduce((length, labels) => Math.max(length, labels.length), 1)
    const data = new Int32Array(own.length * most).fill(-1)
    for (const [b, labels] of own.entries()) data.set(labels, b * most)
    return tensor(data, [own.length, most])
  }
}

/** The rows of a tensor [N, …], over its own numbers. */
function rowsOf({ data, shape, dtype }: Tensor): Tensor[] {
  const width = elementCount(shape.slice(1))
  return Array.from({ length: shape[0] ?? 0 }, (_, n) =>
    tensor(data.subarray(n * width, (n + 1) * width), shape.slice(1), dtype),
  )
}
/** Weights [N], one a row, or those of each sequence's steps. */
function weightRows(all: Targets, lengths: Int32Array): Rows {
  const isNumbers = Array.isArray(all) && all.every((each) => typeof each === 'number')
  if (isTensor(all) || isNumbers) {
    const one = isTensor(all) ? all : tensor(all as readonly number[], undefined, 'f32')
    if (one.shape.length === 1) return perRow('weights', one, lengths.length)
    throw new ShapeError(`weights: expected a number a row, [N]; received [${one.shape.join(', ')}]`)
  }
  const rows = asLong('weights', all as readonly Sequence[], lengths, 'Give one a step, or one a sequence.')
  const odd = rows.find(({ shape }) => shape.length !== 1)
  if (odd === undefined) return (picked) => padded(rows, picked)
  throw new ShapeError(`weights: expected a number a step; received [${odd.shape.join(', ')}]`)
}

/** What says which steps are there, and how many are. */
function presence(
  lengths: Int32Array,
  { timeless, even }: { readonly timeless: boolean; readonly even: boolean },
  mask: readonly Sequence[] | undefined,
) {
  const of = (some: (picked: Int32Array) => Pick<Batch, 'lengths' | 'mask'>) => some
  if (mask === undefined && (timeless || even)) {
    return { steps: timeless ? lengths.length : sum(lengths), of: of(() => ({})) }
  }
  if (mask === undefined) {
    return {
      steps: sum(lengths),
      of: of((picked) => ({ lengths: tensor(picked.map((row) => lengths[row]!)) })),
    }
  }
  if (timeless)
    throw new ArgumentError('mask: rows of numbers have no time, so nothing of them can be masked')
  const rows = maskRows(mask, lengths)
  const steps = sum(rows.map(({ data }) => sum(data)))
  return { steps, of: of((picked) => ({ mask: padded(rows, picked) })) }
}

/** A mask for every sequence, bool [T]. */
function maskRows(all: readonly Sequence[], lengths: Int32Array): Tensor[] {
  const rows = asLong('mask', all, lengths, 'Give 0 or 1 for each step.')
  return rows.map(({ data, shape }, i) => {
    if (shape.length !== 1) {
      throw new ShapeError(`mask: expected a number a step; received [${shape.join(', ')}] for sequence ${i}`)
    }
    const odd = data.findIndex((value: number) => value !== 0 && value !== 1)
    if (odd >= 0) {
      throw new DataError(`mask: expected 0 or 1; received ${data[odd]} in sequence ${i}, step ${odd}`)
    }
    if (!data.includes(1)) throw new DataError(`mask: no step of sequence ${i} is left. Leave it out.`)
    return tensor(Int32Array.from(data), shape, 'bool')
  })
}
