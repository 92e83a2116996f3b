// Package v21 decodes columns of storage versions 2.1 and 2.2.
package v21
