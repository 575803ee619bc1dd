import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 60_000,
    reporters: ['default'],
    // By default one core stays idle, which on two is half of the machine.
    maxWorkers: '100%',
  },
})
