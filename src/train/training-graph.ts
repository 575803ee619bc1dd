import type { Graph } from '../graph/node.ts'
import { noiseOf } from '../layers/noise.ts'
import type { Sequential } from '../layers/sequential.ts'
import { accumulated } from './accumulation.ts'
import { checkForcing } from './forcing-checks.ts'
import { WHOLE } from './leaves.ts'
import { lossOf } from './losses.ts'
import { checkStepOptions, type StepOptions, traceStep } from './step.ts'
import { checkClassWeight } from './weights.ts'
import { WINDOW } from './window-graph.ts'
import { overlaps } from './windows.ts'

/** The graph of a training step before any pass: for `explain`, for pictures. The model must be built. */
export function trainingGraph(model: Sequential, options: StepOptions): Graph {
  checkStepOptions(model, options)
  const { classWeight, truncate, teacherForcing } = options
  const loss = lossOf(options.loss)
  if (teacherForcing === true) checkForcing(model, loss)
  if (classWeight !== undefined) checkClassWeight(classWeight, loss)
  const reading = overlaps(truncate) ? WINDOW : WHOLE
  return traceStep(model, options, { weights: classWeight !== undefined }, reading, {
    noise: noiseOf,
    accumulated,
  }).graph
}
