/** `fit`: batches → steps → a run. */
import type { NamedBatch } from '../data/batches.ts'
import { type Model, requireModel } from '../layers/model.ts'
import { checkFitOptions, type FitOptions, requireBatches } from './fit-options.ts'
import { Loop } from './loop.ts'
import { adam } from './optimizers.ts'
import { Run } from './run.ts'

export type { FitOptions, ValidationOptions } from './fit-options.ts'

/**
 * Trains a model, in place, and starts at once. The returned run can be awaited for its history and iterated for its
 * events.
 *
 *     const run = fit(net, batches, { loss: 'softmaxCrossEntropy', optimizer: adam({ learningRate: 2e-3 }) })
 *     for await (const event of run) console.log(event)
 *
 * @throws {ArgumentError} at once, for options outside their range; for those of what is loaded when it is used (earlyStopping,
 * reduceOnPlateau) through the run
 * @throws {RecurraError} through the run: what does not fit model or loss (shapes, forcing, weights of classes), no batches, a
 * loss that is not finite, a batch beyond `memoryLimit`; the model then keeps what it had learnt before
 */
export function fit(model: Model, batches: Iterable<NamedBatch>, options: FitOptions): Run {
  requireModel('fit', model)
  checkFitOptions(options)
  requireBatches('fit: batches', batches)
  const { epochs = 1, optimizer = adam() } = options
  return new Run(new Loop(model, batches, { ...options, epochs, optimizer }))
}
