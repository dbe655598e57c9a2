/* Five bodies under gravity in double precision, symplectic Euler; the square root by Newton's method on top of an
 * integer estimate, so that no library is needed. */
#include "bench.h"

#define BODIES 5

struct body {
    double x, y, z, vx, vy, vz, mass;
};

/* Sun and the four giants: astronomical units, years / 365.24 scaled, solar masses times 4 pi^2 (public ephemerides). */
static struct body bodies[BODIES] = {
    {0, 0, 0, 0, 0, 0, 39.47841760435743},
    {4.84143144246472090, -1.16032004402742839, -0.103622044471123109, 0.606326392995832, 2.81198684491626, -0.02521836165988763,
     0.03769367487038949},
    {8.34336671824457987, 4.12479856412430479, -0.403523417114321381, -1.0107743461787924, 1.8256623712304119,
     0.008415761376584154, 0.011286326131968767},
    {12.8943695621391310, -15.1111514016986312, -0.223307578892655734, 1.0827910064415354, 0.8687130181696082,
     -0.010832637401363636, 0.0017237240570597112},
    {15.3796971148509165, -25.9193146099879641, 0.179258772950371181, 0.979090732243898, 0.5946989986476762,
     -0.034755955504078104, 0.0020336868699246304},
};

static double square_root(double x)
{
    union {
        double f;
        u64 u;
    } guess = {x};
    guess.u = (guess.u >> 1) + 0x1ff8000000000000ull;
    double r = guess.f;
    for (int i = 0; i < 4; i++) r = 0.5 * (r + x / r);
    return r;
}

static void advance(double dt)
{
    for (int i = 0; i < BODIES; i++) {
        struct body *a = &bodies[i];
        for (int j = i + 1; j < BODIES; j++) {
            struct body *b = &bodies[j];
            double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
            double d2 = dx * dx + dy * dy + dz * dz;
            double magnitude = dt / (d2 * square_root(d2));
            a->vx -= dx * b->mass * magnitude;
            a->vy -= dy * b->mass * magnitude;
            a->vz -= dz * b->mass * magnitude;
            b->vx += dx * a->mass * magnitude;
            b->vy += dy * a->mass * magnitude;
            b->vz += dz * a->mass * magnitude;
        }
    }
    for (int i = 0; i < BODIES; i++) {
        struct body *a = &bodies[i];
        a->x += dt * a->vx;
        a->y += dt * a->vy;
        a->z += dt * a->vz;
    }
}

static double energy(void)
{
    double e = 0;
    for (int i = 0; i < BODIES; i++) {
        struct body *a = &bodies[i];
        e += 0.5 * a->mass * (a->vx * a->vx + a->vy * a->vy + a->vz * a->vz);
        for (int j = i + 1; j < BODIES; j++) {
            struct body *b = &bodies[j];
            double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
            e -= a->mass * b->mass / square_root(dx * dx + dy * dy + dz * dz);
        }
    }
    return e;
}

u32 run(u32 n)
{
    u32 sum = mix_f64(0, energy());
    for (u32 i = 0; i < n; i++) {
        advance(0.01);
        sum = mix_f64(sum, bodies[i % BODIES].x);
    }
    return mix_f64(sum, energy());
}
