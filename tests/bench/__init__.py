"""`make bench`: how fast `keepwatch replay` is, beside gunzip alone and other engines."""
