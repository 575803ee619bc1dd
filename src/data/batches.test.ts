import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import { type Batch, type Batches, sequences, textWindows } from './index.ts'

const size = fc.integer({ min: 1, max: 7 })

/** Row b of a batch-first tensor, its steps as plain numbers; for [B, T]. */
function rowOf({ data, shape }: Tensor, b: number, length = shape[1]!): number[] {
  return Array.from(data.subarray(b * shape[1]!, b * shape[1]! + length))
}

test('windows of a text predict every token once, in order, row by row', () => {
  fc.assert(
    fc.property(size, size, fc.nat(200), (batch, steps, more) => {
      const n = batch * steps + 1 + more
      // Distinct ids: a target says which token of the stream it is.
      const windows = textWindows(
        Int32Array.from({ length: n }, (_, i) => i),
        { batch, steps },
      )
      const all = [...windows]
      const predicted = Array.from({ length: batch }, (_, b) =>
        all.flatMap(({ targets }) => rowOf(targets, b)),
      )
      const read = Array.from({ length: batch }, (_, b) => all.flatMap(({ inputs }) => rowOf(inputs, b)))

      expect(predicted.flat()).toEqual(Array.from({ length: windows.tokens }, (_, i) => i + 1))
      expect(read.flat()).toEqual(predicted.flat().map((id) => id - 1))
      expect(n - 1 - windows.tokens).toBeLessThan(batch)
      expect(all.map(({ reset }) => reset)).toEqual(all.map((_, j) => j === 0))
      expect(all.slice(0, -1).every(({ inputs }) => inputs.shape[1] === steps)).toBe(true)
      expect(all.length).toBe(windows.count)
      expect([...windows]).toEqual(all)
    }),
  )
})

test('sequences of unlike lengths come back whole, in order, with zeros behind them', () => {
  const steps = fc.array(fc.integer({ min: 1, max: 99 }), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(fc.array(steps, { minLength: 1, maxLength: 9 }), size, (lists, batch) => {
      const ids = lists.map((list) => tensor(Int32Array.from(list)))
      const doubled = lists.map((list) => list.map((id) => 2 * id))
      const batches: Batches = sequences(ids, doubled, { batch })
      const all = [...batches]
      const unpad = (pick: 'inputs' | 'targets') =>
        all.flatMap((one) => Array.from(one.lengths!.data, (length, b) => rowOf(one[pick], b, length)))

      expect(unpad('inputs')).toEqual(lists)
      expect(unpad('targets')).toEqual(doubled)
      expect(batches.tokens).toBe(lists.flat().length)
      expect(all.length).toBe(batches.count)
      for (const { inputs, lengths, reset } of all) {
        expect(reset).toBe(true)
        expect(inputs.dtype).toBe('i32')
        expect(inputs.shape).toEqual([lengths!.data.length, Math.max(...lengths!.data)])
        const steps = Array.from(lengths!.data).reduce((sum, length) => sum + length)
        expect(Array.from(inputs.data).filter((id) => id > 0).length).toBe(steps)
      }
    }),
  )
})

/** What is made, or said in an error, without the names in it. */
function outcome(make: () => Iterable<unknown> & { readonly tokens: number }) {
  try {
    const all = make()
    return { tokens: all.tokens, batches: [...all] }
  } catch (error) {
    return String(error)
      .replace(/(targets|weights) y:/, '$1:')
      .replace(/Give .*/, '')
  }
}

test('by the names of one input and one output: as without names, in all that is taken and refused', () => {
  const lengths = fc.array(size, { minLength: 1, maxLength: 6 })
  const odds = fc.record({
    at: fc.nat(5),
    of: fc.constantFrom('none', 'targets', 'mask', 'weights'),
    labels: fc.constantFrom(undefined, false, true),
    mask: fc.boolean(),
    weights: fc.constantFrom('none', 'rows', 'steps'),
    byName: fc.boolean(),
  })
  fc.assert(
    fc.property(lengths, odds, size, (lengths, { at, of, labels, byName, ...has }, batch) => {
      const list = <V>(what: string, value: (row: number, step: number) => V) =>
        lengths.map((length, row) =>
          Array.from({ length: length + Number(of === what && row === at) }, (_, step) => value(row, step)),
        )
      const x = list('inputs', (row, step) => [row, step])
      const y = list('targets', (row, step) => row + step)
      const mask = list('mask', (row, step) => Number(step === 0 || row % 2))
      const weights = has.weights === 'rows' ? lengths : list('weights', (row, step) => row + 2 * step)
      const options = (name: <V>(value: V, of: string) => V) => ({
        ...{ batch, ...(labels !== undefined && { labels }) },
        ...(has.mask && { mask: name(mask, 'x') }),
        ...(has.weights !== 'none' && { weights: name(weights, 'y') }),
      })
      const named = <V>(value: V, of: string) => (value === undefined ? {} : { [of]: value }) as V
      const plain = outcome(() => sequences(x, y, options((value) => value) as never))
      const other = outcome(() =>
        sequences({ x }, { y }, options(byName ? named : (value) => value) as never),
      )
      if (typeof plain === 'string') {
        expect(other).toBe(plain)
        return
      }
      const batches = (plain.batches as Batch[]).map(({ reset, ...rest }) => ({
        ...Object.fromEntries(
          Object.entries(rest).map(([field, value]) => [
            field,
            { [field === 'targets' || field === 'weights' ? 'y' : 'x']: value },
          ]),
        ),
        reset,
      }))
      expect(other).toEqual({ tokens: plain.tokens, batches })
    }),
  )
})

test('in buckets: every row once an epoch, beside rows of like lengths, in batches of another order', () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 60 })
  fc.assert(
    fc.property(
      lengths,
      size,
      fc.integer({ min: 2, max: 7 }),
      fc.boolean(),
      (all, batch, bucket, shuffle) => {
        const ids = all.map((length, i) => new Int32Array(length).fill(i + 1)).map((data) => tensor(data))
        const classes = all.map((_, i) => i)
        const batches: Batches = sequences(ids, classes, { batch, bucket, shuffle })
        const epochs = [1, 2].map((number) => [...(batches.epoch?.(number) ?? batches)])
        for (const epoch of epochs) {
          expect(epoch.length).toBe(batches.count)
          expect(epoch.flatMap(({ targets }) => [...targets.data]).sort((a, b) => a - b)).toEqual(classes)
          for (const { inputs, targets } of epoch) {
            expect(rowOf(inputs, 0)[0]).toBe(targets.data[0]! + 1)
            expect([...targets.data].map((i) => all[i]!)).toEqual([...targets.data].map((i) => all[i]!).sort((a, b) => a - b)) // biome-ignore format: one line
          }
        }
        if (shuffle) return
        const longest = epochs[0]!.map(({ inputs }) => inputs.shape[1]!)
        for (let start = 0; start < longest.length; start += bucket) {
          const own = longest.slice(start, start + bucket)
          expect(own).toEqual(own.toSorted((a, b) => a - b))
        }
      },
    ),
  )
})

test('sequences of vectors with one target a row', () => {
  const inputs = [[[1, 2], [3, 4]], [[5, 6]], [[7, 8]]] // biome-ignore format: one line shows the lengths
  const [first, last] = [...sequences(inputs, tensor([[10], [20], [30]]), { batch: 2 })]
  expect(first!.inputs).toEqual(tensor([[[1, 2], [3, 4]], [[5, 6], [0, 0]]])) // biome-ignore format: as above
  expect(first!.targets).toEqual(tensor([[10], [20]]))
  expect(last!.inputs).toEqual(tensor([[[7, 8]]]))
  expect(last!.targets).toEqual(tensor([[30]]))
  expect(last!.lengths).toEqual(tensor(Int32Array.of(1)))
})

test('sequences with masks: padding and what is masked are 0, and only the rest counts', () => {
  const inputs = [[[9], [1], [9]], [[2]]] // biome-ignore format: one line shows the lengths
  const all = sequences(inputs, [0, 1], { batch: 2, mask: [[0, 1, 0], [1]] })
  const mask = tensor([[0, 1, 0], [1, 0, 0]], undefined, 'bool') // biome-ignore format: as above
  const batch = { inputs: tensor([[[9], [1], [9]], [[2], [0], [0]]]), mask, reset: true } // biome-ignore format: as above
  expect([...all]).toEqual([{ ...batch, targets: tensor(Int32Array.of(0, 1)) }])
  expect(all.tokens).toBe(2)
})

test('plain numbers are one class a row; rows of numbers have no time', () => {
  const [first] = [...sequences([[[1], [2]], [[3]]], [1, 0], { batch: 2 })]
  expect(first!.targets).toEqual(tensor(Int32Array.of(1, 0)))
  expect(first!.lengths).toEqual(tensor(Int32Array.of(2, 1)))

  const rows = sequences([[1, 2], [3, 4], [5, 6]], [0, 1, 0], { batch: 2 }) // biome-ignore format: one line
  expect(rows.tokens).toBe(3)
  expect([...rows]).toEqual([
    { inputs: tensor([[1, 2], [3, 4]]), targets: tensor(Int32Array.of(0, 1)), reset: true }, // biome-ignore format: as above
    { inputs: tensor([[5, 6]]), targets: tensor(Int32Array.of(0)), reset: true },
  ])
})
