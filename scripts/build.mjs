// Compiles src/ to dist/ (ESM and declarations). Incremental: a second build takes a second.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'

const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc')
const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], {
  stdio: 'inherit',
})
process.exit(status ?? 1)
