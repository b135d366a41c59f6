//! Configuration of topics and brokers, read and changed at run time.
