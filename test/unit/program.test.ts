import { expect, it } from 'vitest'
import { createProgram, programFor } from '../../src/cli/program.ts'

it('is for each command what it is among all of them, without the others', async () => {
  const all = (await createProgram()).commands
  expect(all.length).toBeGreaterThan(20)
  for (const command of all) {
    const { commands } = await programFor(command.name())
    // The completion is of all of them.
    if (command.name() === 'completion') expect(commands).toHaveLength(all.length)
    else expect(commands.length, command.name()).toBeLessThan(10)
    const alone = commands.find((one) => one.name() === command.name())
    expect(alone?.helpInformation()).toBe(command.helpInformation())
  }
})

it.each([undefined, '--help', '--version', 'help', 'srve', 'constructor'])(
  'is all of them for who calls it with %s first',
  async (word) => {
    expect((await programFor(word)).commands.length).toBeGreaterThan(20)
  },
)
