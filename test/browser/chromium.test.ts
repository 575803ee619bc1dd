import { readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import { outputOf } from './page.ts'

const root = new URL('../../', import.meta.url)
const page = '<output></output><script type="module" src="/page.js"></script>'
/** Compiling WebAssembly is allowed, evaluating strings is not. */
const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'"

/** What a script writes that says `answer`, with the library at hand. */
function answerOf(body: string, isolated: boolean): Promise<string> {
  const script = `
    import { trainAndHash } from '/test/browser/train.mjs'
    const recurra = await import('/dist/index.js')
    ${body}
    document.querySelector('output').textContent = answer`
  const file = async (path: string) => (path === '/page.js' ? script : readFile(new URL(`.${path}`, root)))
  return outputOf({ page, file, policy, isolated })
}

describe.skipIf(process.env['RECURRA_BROWSER'] !== '1')('skipped unless RECURRA_BROWSER=1: Chromium', () => {
  let expected: string
  beforeAll(async () => {
    const { trainAndHash } = await import('./train.mjs')
    expected = await trainAndHash(await import(new URL('dist/index.js', root).href))
  })

  test('learns the same bits as Node, without eval', async () => {
    expect(await answerOf('const answer = await trainAndHash(recurra)', false)).toBe(expected)
  })

  test('and on 2 and 3 threads, where the page is isolated', async () => {
    const answer = await answerOf(
      `let started = 0
      globalThis.Worker = class extends Worker {
        constructor(...args) { super(...args); started++ }
      }
      const both = [await trainAndHash(recurra, { threads: 2 }), await trainAndHash(recurra, { threads: 3 })]
      const answer = [...both, started].join(' ')`,
      true,
    )
    expect(answer).toBe(`${expected} ${expected} 3`)
  })

  test('a large step does not hold up the page', async () => {
    const answer = await answerOf(
      `const { dense, fit, lstm, sequential, tensor } = recurra
      const net = sequential([lstm({ units: 128 }), dense({ units: 2 })])
      const inputs = tensor(new Float32Array(64 * 40 * 16).fill(0.1), [64, 40, 16])
      const batches = [{ inputs, targets: tensor(new Int32Array(64), [64]), reset: true }]
      const gaps = []
      let last = 0
      const channel = new MessageChannel()
      channel.port1.onmessage = () => {
        if (last > 0) gaps.push(performance.now() - last)
        last = performance.now()
        channel.port2.postMessage(0)
      }
      for await (const { kind } of fit(net, batches, { loss: 'softmaxCrossEntropy', epochs: 15 }))
        if (kind === 'step' && last === 0) channel.port2.postMessage(0)
      channel.port1.close()
      gaps.sort((a, b) => a - b)
      const answer = [gaps.length, gaps[Math.floor(0.99 * gaps.length)].toFixed(1), gaps.at(-1).toFixed(1)].join(' ')`,
      true,
    )
    console.log(`turns of the page, 99% of their gaps, the longest: ${answer} ms`)
    expect(Number(answer.split(' ')[1])).toBeLessThan(20)
  })
})
