/** Compiles the language model once in this process, `node compile-once.mjs BACKEND`, and prints how many milliseconds it took. */

import { createLanguageModel } from './recurra.mjs'

const model = await createLanguageModel(/** @type {import('./recurra.mjs').Backend} */ (process.argv[2]))
const start = performance.now()
await model.compile()
console.log(performance.now() - start)
