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

/** Documents whose examples are programs of their own. In others later ones go on from earlier ones. */
const APART = ['docs/guide.md']

interface Program {
  readonly source: string
  /** What it prints; undefined where the document does not say. */
  readonly printed: string | undefined
}

/** The examples of a document, each with what a block of text behind it says that it prints. */
function programsOf(document: string): Program[] {
  const blocks = [
    ...textOf(document).matchAll(/^```ts\n([\s\S]*?)^```(?:\n+```text\n([\s\S]*?)^```)?/gm),
  ].map((match) => ({ source: match[1]!, printed: match[2] }))
  if (APART.includes(document)) return blocks.map(({ source, printed = '' }) => ({ source, printed }))
  return [{ source: joined(blocks.map(({ source }) => source)), printed: undefined }]
}

/** Examples as one program: imports stand once. */
function joined(blocks: readonly string[]): string {
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
  'the examples of %s compile and run against the built package, and print what it says',
  async (document) => {
    const folder = mkdtempSync(join(tmpdir(), 'recurra-documents-'))
    try {
      const modules = join(folder, 'node_modules')
      symlinkSync(join(root, 'node_modules'), modules)
      const { default: ts } = await import('typescript')
      const programs = programsOf(document).map(({ source, printed }, i) => ({
        source: source.replaceAll(/'recurra(\/\w+)?'/g, (_, path: string | undefined) =>
          JSON.stringify(join(root, 'dist', path ?? '', 'index.js')),
        ),
        printed,
        file: join(folder, `example-${i}`),
      }))
      for (const { file, source } of programs) writeFileSync(`${file}.ts`, source)
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
      const files = programs.map(({ file }) => `${file}.ts`)
      const errors = ts.getPreEmitDiagnostics(ts.createProgram(files, options))
      expect(errors.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([])
      for (const { file, source, printed } of programs) {
        const script = ts.transpileModule(source, {
          compilerOptions: { ...options, noEmit: false, module: ts.ModuleKind.ESNext },
        }).outputText
        writeFileSync(`${file}.mjs`, script)
        const { status, stdout, stderr } = spawnSync(process.execPath, [`${file}.mjs`], { encoding: 'utf8' })
        expect(stderr.replace(/^npm warn.*\n/gm, '')).toBe('')
        expect(status).toBe(0)
        if (printed !== undefined) expect(stdout).toBe(printed)
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
)

test('the parameter counts of the guide are those that Keras publishes', () => {
  const totals = programsOf('docs/guide.md').flatMap(({ printed }) => {
    const [, total] = /^total +(\d+)$/m.exec(printed!) ?? []
    return total === undefined ? [] : [{ total: Number(total), printed: printed! }]
  })
  for (const [total, layers] of [
    [164_106, { lstm: 98_816 }],
    [361_866, { gru: 247_296, elman: 49_280 }],
    [258_698, {}],
    [80_266, {}],
  ] as const) {
    const { printed } = totals.find((each) => each.total === total) ?? { printed: `no model of ${total}` }
    for (const [layer, count] of Object.entries({ total, ...layers })) {
      expect(printed).toMatch(new RegExp(`^${layer} .*\\b${count}$`, 'm'))
    }
  }
})

test.each(documents)('the links of %s lead to files', (document) => {
  const targets = [...textOf(document).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map((match) => match[1]!)
  const missing = targets.filter((target) => !existsSync(join(root, dirname(document), target)))
  expect(missing).toEqual([])
})
