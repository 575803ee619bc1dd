/**
 * Builds the native code of a training once in this process, `node build-once.mjs CELL`, and prints as JSON how many
 * milliseconds the search for a compiler took, and how many from the program to what can be called. The program is made
 * beforehand, since every backend needs one.
 */

import { lower } from '../dist/codegen/lower.js'
import { instantiateNative, panelColumns } from '../dist/codegen/native/backend.js'
import { runPasses } from '../dist/codegen/passes.js'
import { createClassifier } from './recurra.mjs'
import { SHAPES } from './workload.mjs'

const cell = /** @type {import('./workload.mjs').Cell} */ (process.argv[2])
const { recurra, net, options } = await createClassifier({ cell, shape: SHAPES[0] })
net.build({ shape: [null, SHAPES[0].I], dtype: 'f32' })
const optimized = runPasses(recurra.trainingGraph(net, options)).at(-1).graph
const start = performance.now()
const panel = await panelColumns()
const found = performance.now()
const program = lower(optimized, { panel })
const lowered = performance.now()
await instantiateNative(program)
console.log(JSON.stringify({ compilerMs: found - start, buildMs: performance.now() - lowered }))
