import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
]
const textOf = (document: string) => readFileSync(join(root, document), 'utf8')

/** The examples of a document, as one program: later ones go on from earlier ones, imports stand once. */
function program(text: string): string {
  const blocks = [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((match) => match[1]!)
  const names = new Map<string, Set<string>>()
  const bodies = blocks.map((block) =>
    block.replace(/^import \{([^}]*)\} from '([^']*)'\n/gm, (_, list: string, from: string) => {
      const known = names.get(from) ?? new Set<string>()
      names.set(from, known)
      for (const name of list.split(',')) known.add(name.trim())
      return ''
    }),
  )
  const imports = [...names].map(([from, list]) => `import { ${[...list].join(', ')} } from '${from}'`)
  return [...imports, ...bodies].join('\n')
}

test.each(documents.filter((document) => textOf(document).includes('```ts')))(
  'the examples of %s compile and run against the built package',
  async (document) => {
    const folder = mkdtempSync(join(tmpdir(), 'recurra-documents-'))
    try {
      const modules = join(folder, 'node_modules')
      symlinkSync(join(root, 'node_modules'), modules)
      const { default: ts } = await import('typescript')
      const source = program(textOf(document)).replaceAll(
        /'recurra(\/\w+)?'/g,
        (_, path: string | undefined) => JSON.stringify(join(root, 'dist', path ?? '', 'index.js')),
      )
      const file = join(folder, 'example.ts')
      writeFileSync(file, source)
      const options = {
        strict: true,
        noEmit: true,
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.NodeNext,
        skipLibCheck: true,
        types: ['node'],
        typeRoots: [join(root, 'node_modules/@types')],
      }
      writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
      const errors = ts.getPreEmitDiagnostics(ts.createProgram([file], options))
      expect(errors.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([])
      const script = ts.transpileModule(source, {
        compilerOptions: { ...options, noEmit: false, module: ts.ModuleKind.ESNext },
      }).outputText
      writeFileSync(join(folder, 'example.mjs'), script)
      const { status, stderr } = spawnSync(process.execPath, [join(folder, 'example.mjs')], {
        encoding: 'utf8',
      })
      expect(stderr.replace(/^npm warn.*\n/gm, '')).toBe('')
      expect(status).toBe(0)
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
)

test.each(documents)('the links of %s lead to files', (document) => {
  const targets = [...textOf(document).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map((match) => match[1]!)
  const missing = targets.filter((target) => !existsSync(join(root, dirname(document), target)))
  expect(missing).toEqual([])
})
