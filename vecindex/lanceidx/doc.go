// Package lanceidx reads the vector indices that Lance keeps below _indices/{uuid}.
//
//	_indices/{uuid}/
//	  index.idx          no rows in IVF_FLAT, IVF_PQ, IVF_SQ (a graph in IVF_HNSW_*)
//	    schema metadata    lance:index  {"type":"IVF_PQ","distance_type":"l2"}
//	                       lance:ivf    "1", number of a global buffer
//	    global buffer 1    IVF: centroids [partitions, dim]
//	  auxiliary.idx      one row for each indexed vector, partition by partition
//	    schema metadata    lance:ivf "1", distance_type, storage_metadata (a JSON array of one JSON text)
//	    global buffer 1    IVF: offset and length of each partition, in rows
//	    global buffer 2    Tensor: PQ codebook (codebook_position of storage_metadata)
//	    columns            _rowid uint64; __pq_code, __sq_code or flat, a fixed-size list
//	                       IVF_RQ: _rabit_codes, __add_factors, __scale_factors, and with more than one bit
//	                       __blocked_ex_codes, __add_factors_ex, __scale_factors_ex
//
//	Open ──footers, centroids, codebook──> ivf.Model ─┐
//	                                                  ├─ivf.New─> vecindex.Index
//	Cache <──partition: row ids, codes── files ───────┘ ivf.Store
//
// Both files are Lance files of the table's storage version. Global buffer 0 is the file's schema.
//
// In an IVF_HNSW index, index.idx has a graph for each partition, level by level:
//
//	schema metadata    lance:hnsw   a JSON array of one JSON text for each partition: entry_point, level_offsets
//	global buffer 1    IVF: centroids; offset and length of each partition's graph, in rows
//	columns            __vector_id uint32, number of a row in the partition; __neighbors list<uint32>
//
// Small partitions are scanned like those of the quantizer, which finds whatever the graph would find, and more.
//
// Partitions are read when a search first probes them, copied out of the file, and kept in a Cache,
// which any number of indices share. An Index is safe for concurrent use; its memory ends with the
// cache's, not with Close.
//
// Sources: lance 14.0.2, index/vector/ivf/v2.rs and lance-index 14.0.2, vector/{ivf,pq,sq,flat,bq}/storage.rs, hnsw/builder.rs;
// the docs' page on vector indices says less.
package lanceidx
