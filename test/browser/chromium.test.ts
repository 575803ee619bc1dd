import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { outputOf } from './page.ts'

const root = new URL('../../', import.meta.url)
const page = '<output></output><script type="module" src="/page.js"></script>'
const script = `
  import { trainAndHash } from '/test/browser/train.mjs'
  document.querySelector('output').textContent = await trainAndHash(await import('/dist/index.js'))
`
/** Compiling WebAssembly is allowed, evaluating strings is not. */
const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'"
const file = async (path: string) => (path === '/page.js' ? script : readFile(new URL(`.${path}`, root)))

test.skipIf(process.env['RECURRA_BROWSER'] !== '1')(
  'skipped unless RECURRA_BROWSER=1: Chromium learns the same bits as Node, without eval',
  async () => {
    const { trainAndHash } = await import('./train.mjs')
    const expected = await trainAndHash(await import(new URL('dist/index.js', root).href))
    expect(await outputOf({ page, file, policy })).toBe(expected)
  },
)
