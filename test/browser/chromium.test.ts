import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = new URL('../../', import.meta.url)
const page = `<!doctype html><script type="module" src="/page.js"></script>`
const script = `
  import { trainAndHash } from '/test/browser/train.mjs'
  const answer = await import('/dist/index.js').then(trainAndHash).catch((error) => String(error?.stack ?? error))
  await fetch('/answer', { method: 'POST', body: answer })
`
/** Compiling WebAssembly is allowed, evaluating strings is not. */
const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'"

/** Serves the build and waits for what the page posts. */
async function answerOf(browser: string, profile: string): Promise<string> {
  let settle: (answer: string) => void
  const answer = new Promise<string>((resolve) => {
    settle = resolve
  })
  const server = createServer(async (request, response) => {
    const path = request.url ?? '/'
    if (path === '/answer') {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk)
      response.end()
      settle(Buffer.concat(chunks).toString())
      return
    }
    const type = path === '/' ? 'text/html' : 'text/javascript'
    response.setHeader('content-type', type).setHeader('content-security-policy', policy)
    const file = await readFile(new URL(`.${path}`, root)).catch(() => undefined)
    if (path === '/') response.end(page)
    else if (path === '/page.js') response.end(script)
    else if (file === undefined) response.writeHead(404).end()
    else response.end(file)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', `--user-data-dir=${profile}`]
  const child = spawn(browser, [...flags, `http://127.0.0.1:${port}/`], { stdio: 'ignore' })
  child.once('error', (error) => settle(String(error)))
  try {
    return await answer
  } finally {
    child.kill('SIGKILL')
    await once(child, 'exit').catch(() => {})
    server.closeAllConnections()
    server.close()
  }
}

test.skipIf(process.env['RECURRA_BROWSER'] !== '1')(
  'skipped unless RECURRA_BROWSER=1: Chromium learns the same bits as Node, without eval',
  async () => {
    const { trainAndHash } = await import('./train.mjs')
    const expected = await trainAndHash(await import(new URL('dist/index.js', root).href))
    const profile = await mkdtemp(join(tmpdir(), 'recurra-chromium-'))
    try {
      expect(await answerOf('chromium', profile)).toBe(expected)
    } finally {
      await rm(profile, { recursive: true, force: true, maxRetries: 5 })
    }
  },
)
