// Package build makes vector indices as Lance lays them out: IVF_FLAT, IVF_PQ and IVF_SQ.
//
//	Vectors ──Sample──> k-means: centroids ──residuals──> codebook or bounds        (train.go)
//	   │                      │                                  │
//	   └──Scan──> batch ──> partition of each row ──> codes ──> shuffle            (assign.go, shuffle.go)
//	                                                              │ partition by partition
//	                                   index.idx, auxiliary.idx <─┘                (write.go)
//
// Memory is bounded by Spec.MemoryLimit, up to the centroids and one batch: the sample is cut to fit, and the shuffle spills sorted runs to
// temporary files. All cores work on chunks of a batch. The files are a function of vectors, Spec and its seed, whatever the
// number of cores.
//
// The result is files; a table knows of them once a version is committed that lists them, which is not done here.
//
// Sources: lance-index 14.0.2, vector/{ivf,pq,sq,flat} and lance 14.0.2, index/vector/builder.rs, for the layout;
// Jégou, Douze and Schmid, PAMI 2011, for IVFADC: residuals, product codes.
package build
