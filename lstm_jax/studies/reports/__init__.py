"""Reports of studies: tables, pictures, data files, and one page per comparison."""
