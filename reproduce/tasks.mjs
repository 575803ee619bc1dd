/** All tasks, in the order of docs/results.md. */

import { adding100 } from './tasks/adding-100.mjs'
import { adding600 } from './tasks/adding-600.mjs'
import { addition } from './tasks/addition.mjs'
import { copyMemoryTask } from './tasks/copy-memory.mjs'
import { datesTask } from './tasks/dates.mjs'
import { kerasParameters } from './tasks/keras-parameters.mjs'
import { mackeyGlassTask } from './tasks/mackey-glass.mjs'
import { mnistRows } from './tasks/mnist-rows.mjs'
import { plays } from './tasks/plays.mjs'
import { reber } from './tasks/reber.mjs'
import { twoSinesAhead } from './tasks/two-sines-ahead.mjs'
import { twoSinesNext } from './tasks/two-sines-next.mjs'

/** @type {import('./task.mjs').Task[]} */
export const TASKS = [
  kerasParameters,
  mnistRows,
  addition,
  twoSinesNext,
  twoSinesAhead,
  reber,
  datesTask,
  adding100,
  adding600,
  copyMemoryTask,
  mackeyGlassTask,
  plays,
]
