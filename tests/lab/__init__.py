"""The lab: one local process that refuses what AWS refuses.

It runs the emulator `ministack` and completes it where it falls short of AWS. It never talks to the real AWS.
"""
