"""A large file looked through by several processes, each a part at a time, to the result of one."""
