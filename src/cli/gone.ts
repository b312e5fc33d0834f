#!/usr/bin/env node
// What an old Node must be able to read, to be told that it is too old: main.ts and what it imports it cannot.

/** As `engines` of package.json has it: 22.0 to 22.11 do not load an ES module that a dependency requires. */
const isEnough = /^(?:20\.(?:19|[2-9]\d)|22\.(?:1[2-9]|[2-9]\d)|2[3-9]|[3-9]\d|\d{3,})\./.test(
  process.versions.node,
)

if (isEnough) await import('./main.ts')
else {
  process.stderr.write(
    `gone: needs Node 20.19 or newer of 20, or 22.12 or newer; this is ${process.versions.node}\n`,
  )
  process.exitCode = 2
}
