"""Masks files of conversation logs, in bounded memory, on all cores, resumable: `masking batch`.

`run(job)` is the command as a function. Everything else here is a part of it:

    source    which files there are, how they are written, what their outputs are called
    shape     where text sits in the rows of logs that are known by name
    cut       a file as blocks of whole rows
    rows      one block masked
    pool      blocks masked by several processes, in order
    begun     which settings the output folder was begun with
    journal   what is done, so that a killed run goes on where it stood
    reading   files as tasks, from there on
    engine    all of it together
"""

from masking.batch.engine import run
from masking.batch.job import Job, Progress, Summary

__all__ = ["Job", "Progress", "Summary", "run"]
