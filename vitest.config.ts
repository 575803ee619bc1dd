import { configDefaults, defineConfig } from 'vitest/config'

/** Workers are the built ones: Node 20 runs no TypeScript. */
const builtWorkers = {
  name: 'built workers',
  transform: (code: string, id: string) =>
    id.endsWith('/src/codegen/threads/pool.ts')
      ? code.replaceAll('./worker.js', '../../../dist/codegen/threads/worker.js')
      : undefined,
}

const isLong = process.env['RECURRA_LONG'] === '1'

/** Files that look at what modules hold, or stand in for what all share. */
const APART = [
  'src/init/numbers.test.ts',
  'test/contract/checkpoint.test.ts',
  'test/contract/training.test.ts',
  'test/contract/training-losses.test.ts',
  'test/contract/training-memory.test.ts',
]

export default defineConfig({
  plugins: [builtWorkers],
  test: {
    // Long suites run as many cases as they have minutes for.
    testTimeout: isLong ? 600_000 : 60_000,
    reporters: ['default'],
    // By default one core stays idle, which on two is half of the machine.
    maxWorkers: '100%',
    // What the oracle and the passes make is small and soon gone: fewer collections of it.
    execArgv: ['--max-semi-space-size=32'],
    projects: [
      { extends: true, test: { name: 'apart', include: APART } },
      {
        extends: true,
        test: {
          name: 'shared',
          include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...APART],
          // One process for many files: modules are loaded and optimized once. The long suites have each file on its own.
          isolate: isLong,
        },
      },
    ],
  },
})
