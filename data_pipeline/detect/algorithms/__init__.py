"""One detection algorithm a file; `data_pipeline.detect.registry` lists them."""
