/** Tokens that no vocabulary has. Loaded only for models that read tokens. */
import type { NamedBatch } from '../data/batches.ts'
import type { Model } from '../layers/model.ts'
import { SOLE_INPUT } from '../layers/parts.ts'
import { DataError } from '../tensor/errors.ts'
import { shapeOf } from '../tensor/size.ts'
import { elementCount } from '../tensor/tensor.ts'
import { entriesOf } from './inputs.ts'
import { presence } from './masks.ts'

/** @throws {DataError} that names row and step, for a token outside the vocabulary of the layer that reads it */
export function checkTokens(model: Model, batch: Omit<NamedBatch, 'targets' | 'reset'>): void {
  const inputs = new Map(entriesOf(batch.inputs, SOLE_INPUT))
  for (const { name, layer, from } of model.calls) {
    const [source] = from
    const { vocabulary } = layer
    if (vocabulary === undefined || source === undefined || !('input' in source)) continue
    const { data, shape } = inputs.get(source.input)!
    if (!data.some((token: number) => token < 0 || token >= vocabulary)) continue
    const spec = model.built.inputs.get(source.input)!
    const sequence = typeof spec.shape[0] !== 'number'
    const isThere = presence(model, batch, {
      shape: shapeOf(spec.shape.map((size) => size ?? 'T')),
      sequence,
    })
    const [steps, width] = [shape[1] ?? 1, elementCount(shape.slice(2))]
    for (const [i, token] of data.entries()) {
      if (token >= 0 && token < vocabulary) continue
      const [row, step] = [Math.floor(i / width / steps), Math.floor(i / width) % steps]
      if (!isThere(row, step)) continue
      throw new DataError(
        `${name}: a token must lie in 0 … ${vocabulary - 1}; received ${token} in row ${row}, step ${step}`,
      )
    }
  }
}
