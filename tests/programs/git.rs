//! git: commits, a clone, a repack, and its own check of every object.

use super::{is_installed, on_both, shell};

#[test]
fn git_commits_clones_repacks_and_finds_every_object_sound() {
    if !is_installed("git") {
        return;
    }
    on_both(|root| {
        let script = "export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t\n\
            export GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t\n\
            git init -q -b main one; cd one\n\
            for i in $(seq 200); do mkdir -p d$((i % 7)); seq $i $((i + 2000)) > d$((i % 7))/f$i; done\n\
            git add .; git commit -qm first; git mv d1 moved; git commit -qm second\n\
            git checkout -qb side; seq 9 > side; git add .; git commit -qm third\n\
            git checkout -q main; git merge -q --no-edit side; cd ..\n\
            git clone -q --no-local one two; git clone -q one three\n\
            git -C two repack -adq; git -C one gc -q\n\
            for r in one two three; do git -C $r fsck --full --strict --no-progress; \
            test -z \"$(git -C $r status --porcelain)\"; done\n\
            diff -r one/moved two/moved";
        shell(script, root).succeed();
    });
}
