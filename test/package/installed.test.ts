/** The package as a project has it: packed, installed into an empty one, and used by its published names alone. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { textWindows } from '../../src/data/index.ts'
import * as recurra from '../../src/index.ts'
import { saveModel } from '../../src/io/index.ts'
import { hasChromium, outputOf } from '../browser/page.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const asked = process.env['RECURRA_PACKAGE'] === '1'
const { exports: published, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  exports: Record<string, string | { readonly default: string }>
  version: string
}
const entries = Object.entries(published).flatMap(([name, target]) =>
  typeof target === 'string' ? [] : [{ name: join('recurra', name), path: target.default.slice(1) }],
)
const inChromium = test.skipIf(!asked || !hasChromium())
const prompt = [[0, 3, 1, 4, 2]]

let project: string
let expected: readonly number[]

const file = (path: string) => readFile(join(project, path))

function run(command: string, args: readonly string[], cwd = project): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error ?? ''}${stdout}${stderr}`)
  return stdout
}

/** A trained model, whose cell no project has. */
async function makeModel(): Promise<recurra.Model> {
  const { defineCell, dense, embedding, filled, fit, glorotUniform, lstm, recurrent, sequential } = recurra
  const leaky = defineCell<{ units: number }>()({
    name: 'leaky',
    state: ({ units }) => ({ h: units }),
    params: ({ inputs, units }) => ({ U: glorotUniform(inputs, units), a: filled(0.5, units) }),
  }).step(({ x, state: { h }, params: { U, a } }) => {
    const next = recurra.tanh(h.mul(a).add(x.matmul(U)))
    return { output: next, state: { h: next } }
  })
  const model = sequential([
    embedding({ inputDim: 5, outputDim: 3 }),
    recurrent(leaky({ units: 7 }), { returnSequences: true }),
    lstm({ units: 6, returnSequences: true }),
    dense({ units: 5 }),
  ])
  const ids = Int32Array.from({ length: 61 }, (_, i) => (i * i) % 5)
  await fit(model, textWindows(ids, { batch: 2, steps: 10 }), { loss: 'softmaxCrossEntropy', epochs: 3 })
  return model
}

// npm fetches what the package depends on.
describe.skipIf(!asked)('skipped unless RECURRA_PACKAGE=1: the package in a project', () => {
  beforeAll(async () => {
    project = mkdtempSync(join(tmpdir(), 'recurra-project-'))
    const tarball = run('npm', ['pack', '--silent', '--pack-destination', project], root).trim()
    writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }')
    run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', join(project, tarball)])
    const model = await makeModel()
    writeFileSync(join(project, 'model.safetensors'), saveModel(model))
    expected = [...(await recurra.predict(model, prompt)).data]
  }, 120_000)

  afterAll(() => rmSync(project, { recursive: true, force: true }))

  test('Node loads a model and predicts the same numbers', () => {
    const script = `
      import { readFile } from 'node:fs/promises'
      import { predict } from 'recurra'
      import { loadModel } from 'recurra/io'

      const { model } = loadModel(await readFile('model.safetensors'))
      const { data } = await predict(model, ${JSON.stringify(prompt)})
      console.log(data.join(' '))
    `
    writeFileSync(join(project, 'predict.js'), script)
    expect(run(process.execPath, ['predict.js']).trim().split(' ').map(Number)).toEqual(expected)
  })

  test('every published name leads to a module', () => {
    const script = entries.map(({ name }) => `console.log(Object.keys(await import('${name}')).length > 0)`)
    writeFileSync(join(project, 'entries.js'), script.join('\n'))
    expect(run(process.execPath, ['entries.js'])).toBe('true\n'.repeat(entries.length))
  })

  test('the command runs', () => {
    const command = (...args: string[]) => run('npm', ['exec', '--offline', '--', 'recurra', ...args]).trim()
    expect(command('--version')).toBe(version)
    expect(command('--help')).toMatch(/^Usage: recurra /)
  })

  test.each(['nodenext', 'bundler'])(
    'the type tests compile with moduleResolution %s',
    (moduleResolution) => {
      const tests = join(root, 'test/types')
      const files = readdirSync(tests)
      for (const file of files) {
        const source = readFileSync(join(tests, file), 'utf8')
        const own = source.replaceAll(/'[./]*src(\/\w+)?\/index\.ts'/g, (_, path = '') => `'recurra${path}'`)
        expect(own).not.toContain('/src/')
        writeFileSync(join(project, file), own)
      }
      const compilerOptions = {
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        noEmit: true,
        target: 'ES2022',
        lib: ['ES2023', 'DOM'],
        types: [],
        module: moduleResolution === 'nodenext' ? 'NodeNext' : 'ESNext',
        moduleResolution,
      }
      writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
      run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc')])
    },
  )

  inChromium(
    'skipped where Chromium is absent: a page loads a model and predicts the same numbers, by the example of the README',
    async () => {
      const page = /^```html\n([\s\S]*?)^```/m.exec(readFileSync(join(root, 'README.md'), 'utf8'))![1]!
      expect(page).toContain(JSON.stringify(prompt).replaceAll(',', ', '))
      expect((await outputOf({ page, file })).split(' ').map(Number)).toEqual(expected)
    },
  )

  inChromium('skipped where Chromium is absent: a page loads every published name', async () => {
    const imports = Object.fromEntries(
      entries.map(({ name, path }) => [name, `/node_modules/recurra${path}`]),
    )
    const page = `
    <output></output>
    <script type="importmap">${JSON.stringify({ imports })}</script>
    <script type="module">
      const modules = await Promise.all(${JSON.stringify(Object.keys(imports))}.map((name) => import(name)))
      document.querySelector('output').textContent = modules.every((each) => Object.keys(each).length > 0)
    </script>`
    expect(await outputOf({ page, file })).toBe('true')
  })
})
