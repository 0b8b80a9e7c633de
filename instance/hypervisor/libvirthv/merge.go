//go:build cgo && libvirt_dlopen

package libvirthv

import (
	"context"
	"errors"
	"syscall"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/shakenfist/shakenfist/fault"
	"github.com/shakenfist/shakenfist/instance/hypervisor"
	"github.com/shakenfist/shakenfist/instance/hypervisor/internal/image"
	"github.com/shakenfist/shakenfist/internal/step"
)

const (
	// lookAgain is how often a merge is looked at for which libvirt's event did not come.
	lookAgain = 5 * time.Second
	// littleRoom in bytes is how much must be free for a merge to have failed for another reason.
	littleRoom = 16 << 20
)

// mergeLive merges the overlays of a running guest's disks, and has it use the disks again.
func (d *Driver) mergeLive(ctx context.Context, turn *turn, held []attached) error {
	const op = "libvirthv.Release"
	if len(held) == 0 {
		return nil
	}
	changed, forget := d.jobs.listen(turn.id)
	defer forget()
	for _, a := range held {
		if a.job != nil {
			continue // of a Release that was cut off
		}
		// The base must be named: without it libvirt would merge into the image that other guests use, too.
		err := step.Do(ctx, "libvirt merge", a.path, func() error {
			return d.within(ctx, turn, op, func(ld *libvirt.Domain) error {
				return ld.BlockCommit(a.target, a.path, "", 0, libvirt.DOMAIN_BLOCK_COMMIT_ACTIVE)
			})
		})
		if err != nil {
			return err
		}
	}
	if err := d.mergesReady(ctx, turn.id, held, changed); err != nil {
		return err
	}
	return step.Do(ctx, "libvirt pivot", turn.id, func() error {
		return d.within(ctx, turn, op, func(ld *libvirt.Domain) error { return d.pivot(ctx, ld, turn.id, held) })
	})
}

// mergesReady waits until all that the overlays have is in the disks, too, and stays so.
func (d *Driver) mergesReady(ctx context.Context, id string, held []attached, changed <-chan struct{}) error {
	const op = "libvirthv.Release"
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		g, err := d.live(ctx, op, id)
		if err != nil {
			return err
		}
		ready := 0
		for _, a := range held {
			now, ok := attached{}, false
			if g != nil {
				now, ok = g.find(a.path)
			}
			switch {
			case !ok:
				return fault.New(op, fault.Unavailable, id, "the guest ended while what it wrote was merged; release it again")
			case now.held && now.job == nil:
				return failedMerge(op, a.path)
			case !now.held || now.job.Ready == "yes":
				ready++
			}
		}
		if ready == len(held) {
			return nil
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			return fault.Because(op, fault.Unavailable, id, ctx.Err(), "the merge was not waited for; it goes on")
		}
	}
}

// failedMerge is the error for a merge that libvirt has given up.
func failedMerge(op, path string) error {
	var s syscall.Statfs_t
	if syscall.Statfs(path, &s) == nil && int64(s.Bavail)*s.Bsize < littleRoom { //nolint:gosec // no file system has 2^63 blocks
		return image.Full(op, path, syscall.ENOSPC)
	}
	return fault.New(op, fault.Internal, path, "what the guest wrote could not be merged; the log of libvirtd on the node may say more")
}

// pivot has the guest use its disks again instead of the overlays. It is paused for that moment: so nothing is written to
// a disk while an overlay that would be taken for newer is still there.
func (d *Driver) pivot(ctx context.Context, ld *libvirt.Domain, id string, held []attached) error {
	if err := d.pause(ld, id); err != nil {
		return err
	}
	var failed error
	for _, a := range held {
		err := step.Do(ctx, "libvirt pivot disk", a.path, func() error {
			return ld.BlockJobAbort(a.target, libvirt.DOMAIN_BLOCK_JOB_ABORT_PIVOT)
		})
		if err != nil {
			failed = errors.Join(failed, err)
		}
	}
	text, err := ld.GetXMLDesc(xmlFlags(true))
	if err != nil {
		return errors.Join(failed, err)
	}
	g, err := parseGuest(id, text)
	if err != nil {
		return err
	}
	for _, a := range held {
		if now, ok := g.find(a.path); ok && !now.held {
			if err := removeOverlay(ctx, a.path+hypervisor.HeldSuffix); err != nil {
				return errors.Join(failed, err) // it stays paused until this succeeds
			}
		}
	}
	return errors.Join(failed, d.resume(ld))
}
