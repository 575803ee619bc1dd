/** Sequences of unlike lengths → batches. B rows of a batch, T time steps. */
import { requireFlag, requireKnown } from '../tensor/checks.ts'
import { DataError } from '../tensor/errors.ts'
import { alike, isTensor, requireSameSize, type Sequence } from '../tensor/padding.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Batch, Batches, Named, NamedBatch } from './batches.ts'
import { requireOptions } from './guards.ts'
import { batchesOf, type Order } from './order.ts'
import {
  asLongAsOne,
  isTimeless,
  labelRows,
  lengthsOf,
  oneARow,
  padded,
  perRow,
  perStep,
  presence,
  type Rows,
  rowsOf,
  type Targets,
  weightRows,
} from './rows.ts'

type Inputs = readonly Sequence[] | Tensor

export interface SequencesOptions extends Order {
  /** For each sequence as many 0 and 1 as it has steps: what stands at a 0 is not looked at. */
  readonly mask?: readonly Sequence[]
  /** How much sequences weigh in the loss: one number each, or for each as many as it has steps. */
  readonly weights?: Targets
  /** Targets are labels of no step in particular, for `ctc`: i32 [B, S], −1 behind each row's last. Default: false. */
  readonly labels?: boolean
}

export interface NamedSequencesOptions extends Order {
  /** As of plain ones, by input; of the only input also without its name. */
  readonly mask?: Named<readonly Sequence[]>
  /** As of plain ones, by output; of the only output also without its name. */
  readonly weights?: Named<Targets>
  /** Lists of targets, of whatever output, are labels of no step in particular. Default: false. */
  readonly labels?: boolean
}

/**
 * Sequences of unlike lengths, padded with zeros to the longest of their batch. Every batch has `lengths` (or a `mask`) and
 * resets; the last may have fewer rows. Sequences of one length may be one tensor, [N, T, …]: then there are no lengths.
 *
 * Lists of numbers (f32 [features]) with one target a row are rows without time: they come as they are, without lengths.
 *
 *     sequences([[[1], [2], [3]], [[4]]], tensor([[0], [1]]), { batch: 2 })   // inputs f32 [2, 3, 1], lengths [3, 1]
 *
 * A model of several inputs or outputs has them by name, where a tensor beside lists has lengths too:
 *
 *     sequences({ source, target }, next, { batch: 32, shuffle: true })
 *
 * @param inputs N sequences, alike in all but length; or one tensor [N, T, …]
 * @param targets a list of N sequences, each as long as its input, or one of its inputs (one target a step); or one tensor [N, …] (one a
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
    ? labelRows('targets', targets, rows.length)
    : one !== undefined
      ? perRow('targets', one, rows.length)
      : perStep(targets as Sequence[], lengths)
  const timeless = one !== undefined && isTimeless(rows)
  if (timeless) requireSameSize(lengths)
  const there = presence(lengths, { timeless, even }, mask)
  const weightsOf =
    weights === undefined ? undefined : weightRows('weights', weights, rows.length, [{ lengths }])
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
  { mask, weights, labels = false }: NamedSequencesOptions,
): Table<NamedBatch> {
  requireFlag('sequences', 'labels', labels)
  const given = entries(inputs, 'x')
  const masks = byName('mask', mask, given, 'input')
  const columns = given.map(([name, values]) => {
    const even = isTensor(values)
    const rows = alike(`inputs ${name}`, even ? rowsOf(values) : values)
    const timeless = isTimeless(rows)
    const lengths = lengthsOf(rows)
    if (timeless) requireSameSize(lengths)
    return { name, rows, even, timeless, lengths }
  })
  const count = columns[0]!.rows.length
  for (const { name, rows } of columns) {
    if (rows.length === count) continue
    throw new DataError(
      `inputs: ${columns[0]!.name} has ${count} rows; received ${rows.length} of ${name}: every input has as many`,
    )
  }
  // Beside sequences of unlike lengths a tensor says that it has all steps: the two may share a time.
  const ragged = columns.some(({ name, even, timeless }) => !even && !timeless && !masks.has(name))
  const read = columns.map(({ even, ...column }) => {
    const { name, lengths, timeless } = column
    return { ...column, there: presence(lengths, { timeless, even: even && !ragged }, masks.get(name)) }
  })
  const timed = read.filter(({ timeless }) => !timeless)
  const longest = Int32Array.from({ length: count }, (_, row) =>
    Math.max(0, ...timed.map(({ lengths }) => lengths[row]!)),
  )
  const stepsOf = new Map<string, (typeof timed)[number]>()
  const named = entries(targets, 'output')
  const written = named.map(([name, values]): [string, Rows] => {
    const what = `targets ${name}`
    const one = oneARow(values)
    if (labels && (one === undefined || named.length === 1)) return [name, labelRows(what, values, count)]
    if (one !== undefined) return [name, perRow(what, one, count)]
    const { rows, of } = asLongAsOne(what, values as Sequence[], timed, EACH_STEP)
    stepsOf.set(name, of)
    return [name, (picked) => padded(rows, picked)]
  })
  const weightsOf = [...byName('weights', weights, named, 'output')].map(([name, values]): [string, Rows] => {
    const [what, own] = [`weights ${name}`, stepsOf.get(name)]
    if (isTensor(values)) return [name, perRow(what, values, count)]
    return [name, weightRows(what, values, count, own ? [own] : timed)]
  })
  const all = <V>(some: readonly (readonly [string, V])[]) => Object.fromEntries(some)
  return {
    lengths: longest,
    tokens: Math.max(...(stepsOf.size > 0 ? [...stepsOf.values()] : read).map(({ there }) => there.steps)),
    batchOf: (picked) => {
      const there = read.map(({ name, there }) => [name, there.of(picked)] as const)
      const ends = there.flatMap(([name, { lengths }]) => (lengths ? [[name, lengths] as const] : []))
      const masked = there.flatMap(([name, own]) => (own.mask ? [[name, own.mask] as const] : []))
      return {
        inputs: isPlain(inputs)
          ? padded(read[0]!.rows, picked)
          : all(read.map(({ name, rows }) => [name, padded(rows, picked)])),
        targets: isPlain(targets)
          ? written[0]![1](picked)
          : all(written.map(([name, rows]) => [name, rows(picked)])),
        ...(ends.length > 0 && { lengths: all(ends) }),
        ...(masked.length > 0 && { mask: all(masked) }),
        ...(weightsOf.length > 0 && { weights: all(weightsOf.map(([name, rows]) => [name, rows(picked)])) }),
      }
    },
  }
}

/** What is said by the names of inputs or outputs, or without a name of the only one. */
function byName<V>(
  what: string,
  given: Named<V> | undefined,
  of: readonly (readonly [string, unknown])[],
  kind: 'input' | 'output',
): Map<string, V> {
  if (given === undefined) return new Map()
  if (of.length === 1 && isPlain(given)) return new Map([[of[0]![0], given]])
  const names = of.map(([name]) => name)
  requireKnown(`sequences: ${what}`, given as Readonly<Record<string, V>>, names, kind)
  return new Map(Object.entries(given as Readonly<Record<string, V>>))
}

const EACH_STEP = 'Give one target for each step of an input, or a tensor with one row a sequence.'

function isPlain<T>(values: Named<T>): values is T {
  return Array.isArray(values) || isTensor(values) || typeof values !== 'object' || values === null
}

function entries<T>(values: Named<T>, sole: string): [string, T][] {
  const all: [string, T][] = isPlain(values) ? [[sole, values]] : Object.entries(values)
  if (all.length > 0) return all
  throw new DataError('sequences: expected inputs and targets by name; received none')
}
