/**
 * New molecules. A network learns SMILES, the chemist's strings, token by token (Cl, [C@@H], %12 are one each), and writes
 * new ones, all of them in one compiled loop. openchemlib says how many of those are molecules at all.
 *
 *     npm run build && node examples/molecules.mjs [--molecules 1200] [--epochs 6] [--units 96] [--written 100] [--seed 1]
 */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { Molecule } from 'openchemlib'
import { adam, decode, dense, embedding, fit, lstm, sequential, tensor } from 'recurra'
import { sequences, tokenizeSmiles, WordVocabulary } from 'recurra/data'

const LONGEST = 40
const number = (value) => ({ type: /** @type {const} */ ('string'), default: value })
const { values } = parseArgs({
  options: {
    molecules: number('1200'),
    epochs: number('6'),
    units: number('96'),
    written: number('100'),
    seed: number('1'),
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  console.log('node examples/molecules.mjs [--molecules N] [--epochs N] [--units N] [--written N] [--seed N]')
  process.exit(0)
}
const [molecules, epochs, units, written, seed] = ['molecules', 'epochs', 'units', 'written', 'seed'].map(
  (name) => {
    const value = Number(values[name])
    if (Number.isInteger(value) && value >= (name === 'seed' ? 0 : 1)) return value
    console.error(`--${name} must be a whole number of at least 1; received ${values[name]}`)
    return process.exit(1)
  },
)

/** @returns {string[][]} the tokens of approved drugs, which smiles-drawer brings along */
function drugs() {
  const folder = dirname(createRequire(import.meta.url).resolve('smiles-drawer'))
  const file = readFileSync(join(folder, '../example/drugbank.js'), 'utf8')
  const all = [...file.matchAll(/^\s*'(.*)',?$/gm)].map(([, literal]) => literal.replaceAll('\\\\', '\\'))
  return all.map(tokenizeSmiles).filter((tokens) => tokens.length <= LONGEST)
}

/** @param {string} smiles */
function isMolecule(smiles) {
  // openchemlib closes what is left open by itself.
  if (smiles.split('(').length !== smiles.split(')').length) return false
  try {
    return Molecule.fromSmiles(smiles).getAllAtoms() > 0
  } catch {
    return false
  }
}

const learnt = drugs().slice(0, molecules)
const vocabulary = WordVocabulary.of(learnt.flat(), { maxTokens: 64 })
const END = 0 // the padding's id, which no token has: it also begins a string
const idsOf = (tokens) => vocabulary.encode(tokens)
const i32 = (ids) => tensor(Int32Array.from(ids), [ids.length])

const net = sequential([
  embedding({ inputDim: vocabulary.size, outputDim: 32 }),
  lstm({ units, returnSequences: true }),
  dense({ units: vocabulary.size }),
])
const batches = sequences(
  learnt.map((tokens) => i32([END, ...idsOf(tokens)])),
  learnt.map((tokens) => i32([...idsOf(tokens), END])),
  { batch: 32, shuffle: true, seed },
)
const options = {
  loss: /** @type {const} */ ('softmaxCrossEntropy'),
  optimizer: adam({ learningRate: 5e-3 }),
}
for await (const event of fit(net, batches, { ...options, clipGlobalNorm: 1, epochs, seed })) {
  if (event.kind === 'epoch') console.log(`epoch ${event.epoch}: ${event.loss.toFixed(3)} nats a token`)
}

const start = Array.from({ length: written }, () => [END])
const { tokens, lengths } = await decode(
  net,
  {},
  { start, end: END, steps: LONGEST + 1, temperature: 0.7, seed },
)
const made = Array.from(lengths.data, (length, row) => {
  const ids = tokens.data.slice(row * (LONGEST + 1), row * (LONGEST + 1) + length)
  return vocabulary.decode(ids.filter((id) => id !== END)).join('')
})
const known = new Set(learnt.map((each) => each.join('')))
const valid = made.filter(isMolecule)
const news = new Set(valid.filter((smiles) => !known.has(smiles)))
console.log(`\n${made.length} written: ${valid.length} are molecules, ${news.size} of them new`)
for (const smiles of [...news].slice(0, 5)) console.log(`  ${smiles}`)
