import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    // Long suites run as many cases as they have minutes for.
    testTimeout: process.env['RECURRA_LONG'] === '1' ? 600_000 : 60_000,
    reporters: ['default'],
    // By default one core stays idle, which on two is half of the machine.
    maxWorkers: '100%',
  },
})
