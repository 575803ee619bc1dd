import type { Graph } from '../graph/node.ts'
import { forcedBy } from '../layers/forcing.ts'
import type { Model } from '../layers/model.ts'
import { noiseOf } from '../layers/noise.ts'
import { accumulated } from './accumulation.ts'
import { inChunks, inSegments } from './checkpoint.ts'
import { checkForcing } from './forcing-checks.ts'
import { WHOLE } from './leaves.ts'
import { lossesOf } from './losses.ts'
import { Sampling } from './sampling.ts'
import { checkStepOptions, type StepOptions, traceStep } from './step.ts'
import { overlaps } from './truncation.ts'
import { checkClassWeight } from './weights.ts'
import { WINDOW } from './window-graph.ts'

/**
 * The graph of a training step before any pass: for `explain`, for pictures. The model must be built. With `checkpoint`
 * its sizes have one more, `segment`, which training sets to ⌈√T⌉.
 */
export function trainingGraph(model: Model, options: StepOptions): Graph {
  checkStepOptions(model, options)
  const { classWeight, truncate, teacherForcing, checkpoint, parallelScan } = options
  const losses = lossesOf(model, options.loss)
  const sampling =
    typeof teacherForcing === 'object' ? new Sampling(teacherForcing, options, losses) : undefined
  if (sampling !== undefined) sampling.check(model)
  else if (teacherForcing === true) checkForcing(model, losses)
  if (classWeight !== undefined) checkClassWeight(classWeight, losses)
  const plain = overlaps(truncate) ? WINDOW : WHOLE
  const whole = sampling?.reading(plain) ?? plain
  const reading = checkpoint === true ? inSegments(whole) : parallelScan === true ? inChunks(whole) : whole
  return traceStep(model, options, {
    ...{ weights: classWeight !== undefined, reading, accumulated, noise: noiseOf },
    forced: teacherForcing && !sampling?.tokens ? forcedBy : undefined,
  }).graph
}
