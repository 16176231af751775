"""AWS Backup's data side: vaults, recovery points, jobs, copies, legal holds, locks, access policies.

The emulator keeps plans and selections; everything that can be destroyed or rescued is kept here.
"""
