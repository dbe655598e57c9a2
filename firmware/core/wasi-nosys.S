/* The functions of WASI preview 1 that a chip without files, processes and sockets does not have: all answer ENOSYS. */
#define ENOSYS 52

    .section .text.wasi_nosys, "ax", @progbits
    .literal_position
    .balign 4
    .irp name, fd_advise, fd_allocate, fd_datasync, fd_fdstat_set_flags, fd_fdstat_set_rights, fd_filestat_set_size, fd_filestat_set_times, fd_pread, fd_pwrite, fd_readdir, fd_renumber, fd_sync
    .global wasi_snapshot_preview1.\name
    .type wasi_snapshot_preview1.\name, @function
wasi_snapshot_preview1.\name :
    .endr
    .irp name, path_create_directory, path_filestat_get, path_filestat_set_times, path_link, path_open, path_readlink, path_remove_directory, path_rename, path_symlink, path_unlink_file
    .global wasi_snapshot_preview1.\name
    .type wasi_snapshot_preview1.\name, @function
wasi_snapshot_preview1.\name :
    .endr
    .irp name, proc_raise, sock_accept, sock_recv, sock_send, sock_shutdown
    .global wasi_snapshot_preview1.\name
    .type wasi_snapshot_preview1.\name, @function
wasi_snapshot_preview1.\name :
    .endr
    movi a2, ENOSYS
    ret
