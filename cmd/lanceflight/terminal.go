package main

import (
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
	"golang.org/x/term"
)

// terminal returns the width of the terminal that w is, 0 if it is none.
func terminal(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		return 80
	}
	return width
}

// progressBar draws a bar of bytes on w, if that is a terminal, until stop is called. Without a terminal
// update is nil.
func progressBar(w io.Writer, what string) (update func(done, total int64), stop func()) {
	if terminal(w) == 0 {
		return nil, func() {}
	}
	const fps = 10
	p := progress.NewWriter()
	p.SetOutputWriter(w)
	p.SetAutoStop(false)
	p.SetUpdateFrequency(time.Second / fps)
	p.SetStyle(progress.StyleBlocks)
	p.Style().Visibility.TrackerOverall = false
	tracker := &progress.Tracker{Message: what, Units: progress.UnitsBytes}
	p.AppendTracker(tracker)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.Render()
	}()
	var highest atomic.Int64
	return func(done, total int64) {
			// Workers report out of order.
			for {
				h := highest.Load()
				if done <= h {
					return
				}
				if highest.CompareAndSwap(h, done) {
					break
				}
			}
			tracker.UpdateTotal(total)
			tracker.SetValue(done)
		}, func() {
			tracker.MarkAsDone()
			time.Sleep(2 * time.Second / fps) // the last frame
			p.Stop()
			<-ended
		}
}
