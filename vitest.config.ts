import { defineConfig } from 'vitest/config'

/** Workers are the built ones: Node 20 runs no TypeScript. */
const builtWorkers = {
  name: 'built workers',
  transform: (code: string, id: string) =>
    id.endsWith('/src/codegen/threads/pool.ts')
      ? code.replaceAll('./worker.js', '../../../dist/codegen/threads/worker.js')
      : undefined,
}

export default defineConfig({
  plugins: [builtWorkers],
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    // Long suites run as many cases as they have minutes for.
    testTimeout: process.env['RECURRA_LONG'] === '1' ? 600_000 : 60_000,
    reporters: ['default'],
    // By default one core stays idle, which on two is half of the machine.
    maxWorkers: '100%',
    // What the oracle and the passes make is small and soon gone: fewer collections of it.
    execArgv: ['--max-semi-space-size=32'],
  },
})
