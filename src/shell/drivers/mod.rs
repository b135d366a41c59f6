//! Drive the machines of the kernel: locks, queues, threads; the machines decide.
