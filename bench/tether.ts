// Preloaded into every process the bench starts: it stops in order when the bench is gone, also by SIGKILL.
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
