/** Pages in Chromium, served from here. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'

export interface Site {
  /** HTML, whose script writes the answer into an <output>. */
  readonly page: string
  /** What stands at a path such as '/dist/index.js'; where it rejects, nothing does. */
  readonly file: (path: string) => Promise<Uint8Array | string>
  /** The content security policy. Default: none. */
  readonly policy?: string
  /** Whether the page may share memory with workers. Default: false. */
  readonly isolated?: boolean
}

const BROWSER = 'chromium'
const PATIENCE = 50_000
const SCRIPTS = ['.js', '.mjs']

/** Stands before the scripts of a page: sends what it writes, or its first error. */
const watcher = `
  const send = (body) => fetch('/answer', { method: 'POST', body })
  addEventListener('error', ({ error, message }) => send(String(error?.stack ?? message ?? 'a script did not load')), true)
  addEventListener('unhandledrejection', ({ reason }) => send(String(reason?.stack ?? reason)))
  new MutationObserver(() => {
    const text = document.querySelector('output')?.textContent
    if (text) send(text)
  }).observe(document, { subtree: true, childList: true, characterData: true })
`

export function hasChromium(): boolean {
  return spawnSync(BROWSER, ['--version']).status === 0
}

/** What a page writes, or what went wrong instead. */
export async function outputOf({ page, file, policy, isolated = false }: Site): Promise<string> {
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
    const type = path === '/' ? 'text/html' : SCRIPTS.includes(extname(path)) ? 'text/javascript' : undefined
    if (type !== undefined) response.setHeader('content-type', type)
    if (policy !== undefined) response.setHeader('content-security-policy', policy)
    if (isolated) {
      response.setHeader('cross-origin-opener-policy', 'same-origin')
      response.setHeader('cross-origin-embedder-policy', 'require-corp')
    }
    if (path === '/') response.end(`<!doctype html><script src="/watcher.js"></script>${page}`)
    else if (path === '/watcher.js') response.end(watcher)
    else {
      const body = await file(path).catch(() => undefined)
      if (body === undefined) response.writeHead(404).end()
      else response.end(body)
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const profile = await mkdtemp(join(tmpdir(), 'recurra-chromium-'))
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', `--user-data-dir=${profile}`]
  const child = spawn(BROWSER, [...flags, `http://127.0.0.1:${port}/`], { stdio: 'ignore' })
  child.once('error', (error) => settle(String(error)))
  const patience = setTimeout(() => settle(`the page wrote nothing within ${PATIENCE / 1000} s`), PATIENCE)
  try {
    return await answer
  } finally {
    clearTimeout(patience)
    if (child.kill('SIGKILL')) await once(child, 'exit')
    server.closeAllConnections()
    server.close()
    await rm(profile, { recursive: true, force: true, maxRetries: 5 })
  }
}
