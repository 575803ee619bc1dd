/**
 * Builds the native code of a training once in this process, `node build-once.mjs CELL`, and prints as JSON how many
 * milliseconds that took, from the program to what can be called. The program is made beforehand, since every backend
 * needs one.
 */

import { lower } from '../dist/codegen/lower.js'
import { instantiateNative } from '../dist/codegen/native/backend.js'
import { runPasses } from '../dist/codegen/passes.js'
import { createClassifier } from './recurra.mjs'
import { SHAPES } from './workload.mjs'

const cell = /** @type {import('./workload.mjs').Cell} */ (process.argv[2])
const { recurra, net, options } = await createClassifier({ cell, shape: SHAPES[0] })
net.build({ shape: [null, SHAPES[0].I], dtype: 'f32' })
const optimized = runPasses(recurra.trainingGraph(net, options)).at(-1).graph
let lowering = 0
const start = performance.now()
const executable = await instantiateNative((panel) => {
  const begun = performance.now()
  const program = lower(optimized, { panel })
  lowering = performance.now() - begun
  return program
}, undefined)
if (executable === undefined) throw new Error('there is no native code here')
console.log(JSON.stringify({ buildMs: performance.now() - start - lowering }))
