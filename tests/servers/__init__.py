"""Real servers on loopback for the tests: S3, SFTP, FTP. Import their fixtures where they are used."""
