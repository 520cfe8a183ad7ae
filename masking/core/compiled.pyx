# cython: language_level=3, boundscheck=False, wraparound=False, always_allow_keywords=False
"""What `masking.core.plain` does, compiled: it walks each piece character by character, and remembers no pieces.

Everything that is rare is left to Python: what has never been met, characters that rules see as none or as several,
signs with which a placeholder or a link may begin, and every decision about a match.
"""

import os

from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Realloc

cdef extern from "Python.h":
    int PyUnicode_KIND(object)
    void* PyUnicode_DATA(object)
    unsigned int PyUnicode_READ(int, void*, Py_ssize_t)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    bint PyUnicode_IS_ASCII(object)
    bint PyUnicode_CheckExact(object)

if os.environ.get("MASKING_COMPILED") == "0":
    raise ImportError("MASKING_COMPILED=0 asks for streams in Python")

cdef enum:
    MOST_GROUPS = 8
    MOST_SIGNS = 64
    ODD = 0xFFFF
    PATIENT = 48


cdef class Known:
    """What a state knows of how it goes on: by class of character, the edge."""

    cdef void** table  # into `edges`
    cdef int size
    cdef list edges
    cdef public Py_ssize_t bound

    def __dealloc__(self):
        PyMem_Free(self.table)

    cdef int note(self, int number, Edge edge) except -1:
        cdef void** table = self.table
        if number >= self.size:
            table = <void**>PyMem_Realloc(table, (number + 8) * sizeof(void*))
            if table == NULL:
                raise MemoryError
            for at in range(self.size, number + 8):
                table[at] = NULL
            self.table, self.size = table, number + 8
        if self.edges is None:
            self.edges = []
        self.edges.append(edge)
        table[number] = <void*>edge


cdef class Edge:
    """One character on, as Step."""

    cdef Known state
    cdef int count
    cdef int kept[MOST_GROUPS]
    cdef bint same
    cdef object touched

    def __init__(self, step):
        self.state, kept, touched, self.same = step
        self.count = len(kept)
        for at, number in enumerate(kept):
            self.kept[at] = number
        self.touched = touched if touched else None


cdef class Classes:
    """The characters that an automaton does not tell apart, by number; 0xFFFF for those that are left to Python."""

    cdef unsigned short ascii[128]
    cdef unsigned short* pages[256]
    cdef dict far
    cdef object classify

    def __cinit__(self, classify):
        self.classify = classify
        self.far = {}

    def __dealloc__(self):
        for page in self.pages:
            PyMem_Free(page)

    cdef int of(self, unsigned int character) except -1:
        cdef unsigned short* page
        cdef int number
        if character < 128:
            number = self.ascii[character] = self.classify(chr(character)) or ODD
            return number
        if character > 0xFFFF:
            known = self.far.get(character)
            if known is None:
                known = self.classify(chr(character)) or ODD
                if len(self.far) < 4096:
                    self.far[character] = known
            return known
        page = self.pages[character >> 8]
        if page == NULL:
            page = self.pages[character >> 8] = <unsigned short*>PyMem_Calloc(256, sizeof(unsigned short))
            if page == NULL:
                raise MemoryError
        number = page[character & 255]
        if number == 0:
            number = page[character & 255] = self.classify(chr(character)) or ODD
        return number


cdef class Reader:
    """One lane, as far as the automaton has read it; see `masking.core.redact.Redactor`."""

    cdef str _held
    cdef bint clear
    cdef public Py_ssize_t read, until, blocked, wide
    cdef Known _state
    cdef int count
    cdef Py_ssize_t begun[MOST_GROUPS]
    cdef public object touched, trail
    cdef object append, automaton
    cdef Classes classes

    def __init__(self, automaton, trail):
        self.automaton, self.trail, self.append = automaton, trail, trail.append
        self.classes = automaton.classes
        self._held = ""
        self._state = automaton.idle
        self.touched = frozenset()
        self.clear = True

    @property
    def held(self):
        return self._held

    @held.setter
    def held(self, str text not None):
        self._held = text
        self.clear = not text

    @property
    def state(self):
        return self._state

    @state.setter
    def state(self, Known state not None):
        self._state = state

    @property
    def starts(self):
        return tuple([self.begun[at] for at in range(self.count)])

    @starts.setter
    def starts(self, tuple starts not None):
        self.count = len(starts)
        for at in range(self.count):
            self.begun[at] = starts[at]

    cdef void* learn(self, Known state, unsigned int character, int number) except NULL:
        cdef Edge edge = Edge(self.automaton.step(state, chr(character)))
        state.note(number, edge)
        return <void*>edge

    cpdef str step(self, str text):
        """What may be said now that `text` has come, in which no escape begins; None where `take` must see it."""
        cdef Py_ssize_t waiting = PyUnicode_GET_LENGTH(self._held), length = PyUnicode_GET_LENGTH(text)
        cdef Py_ssize_t at, hold, least, size = waiting + length
        cdef Py_ssize_t kept[MOST_GROUPS]
        cdef Py_ssize_t fresh[MOST_GROUPS]
        cdef int number, one, other, count, kind = PyUnicode_KIND(text)
        cdef void* data = PyUnicode_DATA(text)
        cdef unsigned int character
        # Borrowed: every state on the way is kept by the edge that leads there, and the first one by the reader.
        cdef void* state = <void*>self._state
        cdef void* edge
        cdef Classes classes = self.classes
        cdef object touched = None
        cdef str pending, said

        if self.read < waiting:
            return None
        count = self.count
        for one in range(count):
            kept[one] = self.begun[one]
        for at in range(length):
            character = PyUnicode_READ(kind, data, at)
            number = classes.ascii[character] if character < 128 else 0
            if number == 0:
                number = classes.of(character)
            if number == ODD:
                return None
            edge = (<Known>state).table[number] if number < (<Known>state).size else NULL
            if edge == NULL:
                edge = self.learn(<Known>state, character, number)
            if not (<Edge>edge).same:
                count = (<Edge>edge).count
                for one in range(count):
                    other = (<Edge>edge).kept[one]
                    fresh[one] = kept[other] if other >= 0 else waiting + at
                for one in range(count):
                    kept[one] = fresh[one]
            if (<Edge>edge).touched is not None:
                touched = (<Edge>edge).touched if touched is None else touched | (<Edge>edge).touched
            state = <void*>(<Edge>edge).state

        if touched is not None:
            self.touched = self.touched | touched
            self.until = size
        self._state = <Known>state
        hold = size
        if count:
            hold = kept[0]
            if size - hold > self._state.bound:
                least = self.behind(text, hold, self._state.bound)
                if least > hold:
                    hold = least
                    for one in range(count):
                        if kept[one] < least:
                            kept[one] = least
        if hold and self.touched:
            if hold < self.blocked or (hold < self.until and size <= PATIENT):
                hold = 0  # what may have matched reaches over it, most likely: to look now would be in vain
            else:
                self.count = count
                for one in range(count):
                    self.begun[one] = kept[one]
                return self.settled(self._held + text, hold)
        if hold == waiting + 1 and hold < size and PyUnicode_READ(kind, data, 0) == 32:
            hold = waiting  # the blank before a word waits with it: to cut it off would cost more than all the rest
        self.count = count
        for one in range(count):
            self.begun[one] = kept[one] - hold
        self.read = size - hold
        if hold == 0:
            self._held = self._held + text if waiting else text
            return ""
        if hold == waiting:
            said = self._held
            self._held = text
        elif hold == size:
            said = self._held + text if waiting else text
            self._held = ""
        elif hold > waiting:
            said = self._held + text[: hold - waiting] if waiting else text[:hold]
            self._held = text[hold - waiting :]
        else:
            said = self._held[:hold]
            self._held = self._held[hold:] + text
        if self.clear or PyUnicode_IS_ASCII(said):
            self.append(said)
        else:
            self.trail.add(said)
        if hold >= waiting:
            self.clear = True
        return said

    cdef Py_ssize_t behind(self, str text, Py_ssize_t hold, Py_ssize_t bound) except -1:
        cdef str pending = self._held + text
        if PyUnicode_IS_ASCII(pending) and "%" not in pending and "&" not in pending and "\\" not in pending:
            return PyUnicode_GET_LENGTH(pending) - bound
        return self.least(pending, hold, bound)


cdef class Signs:
    """The characters with which something may begin that is not the reader's."""

    cdef bint near[128]
    cdef unsigned int others[MOST_SIGNS]
    cdef int count

    def __init__(self, str signs not None):
        for character in signs:
            if ord(character) < 128:
                self.near[ord(character)] = True
            else:
                if self.count == MOST_SIGNS:
                    raise ValueError("too many signs")
                self.others[self.count] = ord(character)
                self.count += 1

    cdef bint are_in(self, str text):
        cdef int kind = PyUnicode_KIND(text), one
        cdef void* data = PyUnicode_DATA(text)
        cdef unsigned int character
        for at in range(PyUnicode_GET_LENGTH(text)):
            character = PyUnicode_READ(kind, data, at)
            if character < 128:
                if self.near[character]:
                    return True
            elif not 0x4E00 <= character <= 0x9FFF:
                for one in range(self.count):
                    if self.others[one] == character:
                        return True
        return False


cdef dict _SIGNS = {}


cdef class Lane:
    """What a stream needs to feed its reader."""

    cdef public str _before
    cdef public bint _quick
    cdef public dict _quiet
    cdef Reader reader
    cdef Signs signs

    def _open(self, Reader reader, str signs):
        """Feed this reader what holds none of these signs."""
        self.reader, self._quick = reader, True
        self.signs = _SIGNS.get(signs)
        if self.signs is None:
            self.signs = _SIGNS[signs] = Signs(signs)

    def feed(self, text):
        """What can be said now that `text` has arrived."""
        cdef str said
        if self._quick and PyUnicode_CheckExact(text) and (not self.signs.are_in(text) or text in self._quiet):
            said = self.reader.step(text)
            if said is not None:
                if text:
                    self._before = text
                return said
        return self._thought(text)
