// Frames of three bytes a pixel, one thread for each pixel. `kernels.ptx` is the same for machines without a compiler.

// The picture `base`, `shift` pixels further to the left.
extern "C" __global__ void draw(const unsigned char *base, unsigned char *frame, unsigned int width, unsigned int pixels,
                                unsigned int shift)
{
    const unsigned int pixel = blockIdx.x * blockDim.x + threadIdx.x;
    if (pixel >= pixels) {
        return;
    }
    const unsigned int column = pixel % width;
    const unsigned char *from = base + 3ull * (pixel - column + (column + shift) % width);
    unsigned char *to = frame + 3ull * pixel;
    to[0] = from[0];
    to[1] = from[1];
    to[2] = from[2];
}

// Counts the pixels of `frame` that `draw` would have made otherwise.
extern "C" __global__ void check(const unsigned char *base, const unsigned char *frame, unsigned int width,
                                 unsigned int pixels, unsigned int shift, unsigned int *wrong)
{
    const unsigned int pixel = blockIdx.x * blockDim.x + threadIdx.x;
    if (pixel >= pixels) {
        return;
    }
    const unsigned int column = pixel % width;
    const unsigned char *want = base + 3ull * (pixel - column + (column + shift) % width);
    const unsigned char *got = frame + 3ull * pixel;
    if (got[0] != want[0] || got[1] != want[1] || got[2] != want[2]) {
        atomicAdd(wrong, 1);
    }
}
