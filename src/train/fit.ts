/** `fit`: batches → steps → a run. */
import type { Batch } from '../data/batches.ts'
import { requireModel, type Sequential } from '../layers/sequential.ts'
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
 * @throws {ArgumentError} at once, for options outside their range
 * @throws {RecurraError} through the run: options of what watches the loss, what does not fit model or loss (shapes, forcing,
 * weights of classes), no batches, a loss that is not finite; the model then keeps what it had learnt before
 */
export function fit(model: Sequential, batches: Iterable<Batch>, options: FitOptions): Run {
  requireModel('fit', model)
  checkFitOptions(options)
  requireBatches('fit: batches', batches)
  const { epochs = 1, optimizer = adam() } = options
  return new Run(new Loop(model, batches, { ...options, epochs, optimizer }))
}
