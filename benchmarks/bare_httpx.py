"""`python bare_httpx.py URL COUNT WORKERS`: so many GETs with one httpx client and a pool of threads, nothing else."""

import sys
from concurrent.futures import ThreadPoolExecutor

import httpx

if __name__ == "__main__":
    url, count, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with httpx.Client(limits=httpx.Limits(max_connections=None)) as client, ThreadPoolExecutor(workers) as pool:
        answers = pool.map(lambda number: client.get(f"{url}/{number}.csv").raise_for_status().content, range(count))
        print(sum(1 for answer in answers if answer.startswith(b"id,value")))
